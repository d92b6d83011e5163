import { z } from 'zod'
import { Delivery, DeliveryStatus, listDeliveries } from '../lib/delivery.ts'
import { TenantRef } from '../lib/event.ts'
import { handler } from '../lib/handler.ts'
import { Cursor, Limit, page, pageOf, positionOf } from '../lib/page.ts'
import { getTenant } from '../lib/tenants.ts'
import * as examples from '../lib/examples.ts'

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
