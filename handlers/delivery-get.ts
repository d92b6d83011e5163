import { z } from 'zod'
import { Delivery, getDelivery } from '../lib/alerts/delivery.ts'
import { handler, json } from '../lib/http/endpoint.ts'

/** One delivery. */
export default handler({
  method: 'GET',
  path: '/api/deliveries/:delivery',
  operationId: 'getDelivery',
  tag: 'Alerts',
  auth: 'read',
  tenancy: 'own',
  isReport: true,
  summary: 'One message to a webhook',
  answers: { 200: Delivery.describe('The message and its delivery so far.') },
  problems: ['delivery_not_found'],
  params: z.object({ delivery: z.string() }),
  query: z.strictObject({}),
  handle: async (ctx, { params, caller }) => json(200, await getDelivery(ctx.database, params.delivery, caller)),
})
