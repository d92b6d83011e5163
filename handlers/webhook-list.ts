import { z } from 'zod'
import { TenantRef } from '../lib/schema.ts'
import { handler } from '../lib/http/endpoint.ts'
import { Cursor, Limit, page, pageOf, positionOf } from '../lib/page.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import { Webhook, listWebhooks } from '../lib/alerts/webhook.ts'
import * as examples from '../lib/site/examples.ts'

/** The webhooks of a tenant, or of all, the oldest first. */
export default handler({
  method: 'GET',
  path: '/api/webhooks',
  auth: 'admin',
  tenancy: 'named',
  isReport: true,
  summary: 'The webhooks of a tenant, or of all',
  answers: { 200: pageOf('webhooks', Webhook, examples.webhook) },
  problems: ['tenant_not_found'],
  query: z.strictObject({ tenant: TenantRef.optional(), after: Cursor, limit: Limit }),
  async handle(ctx, { query: { tenant, after, limit } }) {
    const tenantId = tenant === undefined ? null : (await getTenant(ctx.database, tenant)).id
    const { webhooks, rows } = await listWebhooks(ctx.database, tenantId, after ?? 0, limit)
    return page('webhooks', webhooks, limit, positionOf(rows))
  },
})
