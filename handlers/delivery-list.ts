import { z } from 'zod'
import { DELIVERY_STATUS, listDeliveries } from '../lib/delivery.ts'
import { TenantRef } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { Cursor, Limit, nextOf } from '../lib/page.ts'
import { getTenant } from '../lib/tenants.ts'

/** Deliveries, the newest first: of a tenant, of a webhook, in a status, or all. */
export default handler({
  method: 'GET',
  path: '/api/deliveries',
  auth: 'read',
  query: z.strictObject({
    tenant: TenantRef.optional(),
    webhook: z.guid('must be the id of a webhook').optional(),
    status: z.enum(DELIVERY_STATUS, `must be one of ${DELIVERY_STATUS.join(', ')}`).optional(),
    after: Cursor,
    limit: Limit,
  }),
  async handle(ctx, { query: { tenant, webhook = null, status = null, after, limit } }) {
    const tenantId = tenant === undefined ? null : (await getTenant(ctx.database, tenant)).id
    const filter = { id: null, tenantId, webhookId: webhook, status }
    const { deliveries, rows } = await listDeliveries(ctx.database, filter, after ?? null, limit)
    return json(200, { deliveries, ...nextOf(rows, limit) })
  },
})
