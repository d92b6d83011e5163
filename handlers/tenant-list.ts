import { z } from 'zod'
import { handler } from '../lib/handler.ts'
import { Limit, NameCursor, nameOf, page, pageOf } from '../lib/page.ts'
import { Tenant, listTenants } from '../lib/tenant_admin.ts'
import * as examples from '../lib/examples.ts'

/** Tenants by name. */
export default handler({
  method: 'GET',
  path: '/api/tenants',
  auth: 'read',
  tenancy: 'all',
  isReport: true,
  summary: 'Tenants by name',
  answers: { 200: pageOf('tenants', Tenant, examples.tenantDocument) },
  query: z.strictObject({ after: NameCursor, limit: Limit }),
  async handle(ctx, { query: { after, limit } }) {
    const tenants = await listTenants(ctx.database, after ?? '', limit)
    return page('tenants', tenants, limit, nameOf(tenants))
  },
})
