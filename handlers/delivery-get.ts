import { z } from 'zod'
import { getDelivery } from '../lib/delivery.ts'
import { handler, json } from '../lib/handler.ts'

/** One delivery. */
export default handler({
  method: 'GET',
  path: '/api/deliveries/:delivery',
  auth: 'read',
  params: z.object({ delivery: z.string() }),
  query: z.strictObject({}),
  handle: async (ctx, { params }) => json(200, await getDelivery(ctx.database, params.delivery)),
})
