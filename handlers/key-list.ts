import { z } from 'zod'
import { TenantRef } from '../lib/schema.ts'
import { handler } from '../lib/http/endpoint.ts'
import { ApiKey, listKeys } from '../lib/admin/keys.ts'
import { Cursor, Limit, page, pageOf, positionOf } from '../lib/page.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import * as examples from '../lib/site/examples.ts'

/** The keys of a tenant, or of all, the newest first, with those that were revoked or have expired. */
export default handler({
  method: 'GET',
  path: '/api/keys',
  auth: 'admin',
  tenancy: 'all',
  isReport: true,
  summary: 'Keys, the newest first',
  answers: { 200: pageOf('keys', ApiKey, examples.apiKey) },
  problems: ['tenant_not_found'],
  query: z.strictObject({ tenant: TenantRef.optional(), after: Cursor, limit: Limit }),
  async handle(ctx, { query: { tenant, after, limit } }) {
    const tenantId = tenant === undefined ? null : (await getTenant(ctx.database, tenant)).id
    const { keys, rows } = await listKeys(ctx.database, tenantId, after ?? null, limit)
    return page('keys', keys, limit, positionOf(rows))
  },
})
