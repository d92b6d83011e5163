import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Price } from '../lib/prices/price.ts'
import { deletePrice } from '../lib/prices/prices.ts'

/** Deletes a price of the operator's own. Events keep what they cost. */
export default handler({
  method: 'DELETE',
  path: '/api/prices/:price',
  operationId: 'deletePrice',
  tag: 'Prices',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Deletes a price',
  answers: { 200: Price.describe('The price is deleted. Events keep what they cost.') },
  problems: ['price_not_found'],
  params: z.object({ price: z.string() }),
  handle: async (ctx, { params, caller }) => json(200, await deletePrice(ctx.database, actorOf(caller), params.price)),
})
