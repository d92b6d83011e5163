import { z } from 'zod'
import { TenantRef } from '../lib/schema.ts'
import { handler } from '../lib/http/endpoint.ts'
import { Cursor, Limit, page, pageOf, positionOf } from '../lib/page.ts'
import { Quota, listQuotas } from '../lib/admin/quotas.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import * as examples from '../lib/site/examples.ts'

/** The quotas of a tenant, or of all, beside the monthly ones, the oldest first. */
export default handler({
  method: 'GET',
  path: '/api/quotas',
  auth: 'read',
  tenancy: 'named',
  isReport: true,
  summary: 'The quotas of a tenant, or of all, beside the monthly ones',
  answers: { 200: pageOf('quotas', Quota, examples.quota) },
  problems: ['tenant_not_found'],
  query: z.strictObject({ tenant: TenantRef.optional(), after: Cursor, limit: Limit }),
  async handle(ctx, { query: { tenant, after, limit } }) {
    const tenantId = tenant === undefined ? null : (await getTenant(ctx.database, tenant)).id
    const { quotas, rows } = await listQuotas(ctx.database, tenantId, after ?? 0, limit)
    return page('quotas', quotas, limit, positionOf(rows))
  },
})
