import { z } from 'zod'
import { Delivery, DeliveryStatus, listDeliveries } from '../lib/alerts/delivery.ts'
import { TenantRef } from '../lib/schema.ts'
import { handler } from '../lib/http/endpoint.ts'
import { Cursor, Limit, page, pageOf, positionOf } from '../lib/page.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import * as examples from '../lib/site/examples.ts'

/** Deliveries, the newest first: of a tenant, of a webhook, in a status, or all. */
export default handler({
  method: 'GET',
  path: '/api/deliveries',
  auth: 'read',
  tenancy: 'named',
  isReport: true,
  summary: 'Messages to webhooks, the newest first',
  answers: { 200: pageOf('deliveries', Delivery, examples.delivery) },
  problems: ['tenant_not_found'],
  query: z.strictObject({
    tenant: TenantRef.optional(),
    webhook: z.guid('must be the id of a webhook').optional(),
    status: DeliveryStatus.optional(),
    after: Cursor,
    limit: Limit,
  }),
  async handle(ctx, { query: { tenant, webhook = null, status = null, after, limit } }) {
    const tenantId = tenant === undefined ? null : (await getTenant(ctx.database, tenant)).id
    const filter = { id: null, tenantId, webhookId: webhook, status }
    const { deliveries, rows } = await listDeliveries(ctx.database, filter, after ?? null, limit)
    return page('deliveries', deliveries, limit, positionOf(rows))
  },
})
