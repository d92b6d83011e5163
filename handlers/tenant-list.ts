import { z } from 'zod'
import { handler } from '../lib/http/endpoint.ts'
import { Limit, NameCursor, nameOf, page, pageOf } from '../lib/page.ts'
import { Tenant, listTenants } from '../lib/admin/tenants.ts'
import * as examples from '../lib/site/examples.ts'

/** Tenants by name. */
export default handler({
  method: 'GET',
  path: '/api/tenants',
  operationId: 'listTenants',
  tag: 'Tenants',
  auth: 'read',
  tenancy: 'all',
  isReport: true,
  summary: 'Tenants by name',
  answers: { 200: pageOf('TenantPage', 'tenants', Tenant, examples.tenantDocument).describe('A page of tenants.') },
  query: z.strictObject({ after: NameCursor, limit: Limit }),
  async handle(ctx, { query: { after, limit } }) {
    const tenants = await listTenants(ctx.database, after ?? '', limit)
    return page('tenants', tenants, limit, nameOf(tenants))
  },
})
