import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Problem, invalidInput } from '../lib/problem.ts'
import { Price, PriceInput } from '../lib/prices/price.ts'
import { setPrices } from '../lib/prices/prices.ts'
import { fieldErrors } from '../lib/schema.ts'
import * as examples from '../lib/site/examples.ts'
import { withCommas } from '../lib/words.ts'

const MAX_PRICES = 1_000
const Batch = z
  .array(PriceInput)
  .min(1, 'must not be empty')
  .max(MAX_PRICES, `must be at most ${withCommas(MAX_PRICES)} prices`)

/** Sets prices of the operator's own. They apply to calls from `effectiveFrom` on that are recorded from now on. */
export default handler({
  method: 'POST',
  path: '/api/prices',
  operationId: 'setPrices',
  tag: 'Prices',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Sets a price, or up to 1,000',
  answers: {
    201: z
      .object({ prices: z.array(Price) })
      .describe('The prices are set. What was recorded before keeps its cost until it is repriced.')
      .meta({ id: 'PricesSet', examples: [{ prices: [examples.price] }] }),
  },
  maxBodyBytes: 2 * 1024 * 1024,
  documentedBody: z.union([PriceInput, Batch]).meta({ examples: [examples.priceInput, [examples.priceInput]] }),
  body: z.unknown(), // not the union: its mistakes would name no field
  async handle(ctx, { body, caller }) {
    const parsed = Batch.safeParse(Array.isArray(body) ? body : [body])
    if (!parsed.success) {
      const errors = fieldErrors(parsed.error).map(({ field, detail }) => ({
        field: Array.isArray(body) ? field : field.replace(/^0\.?/, ''),
        detail,
      }))
      throw new Problem('invalid_request', invalidInput(errors))
    }
    return json(201, { prices: await setPrices(ctx.database, actorOf(caller), parsed.data, ctx.clock()) })
  },
})
