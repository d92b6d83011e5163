import { z } from 'zod'
import { handler, json } from '../lib/http/endpoint.ts'
import { Cursor, Limit } from '../lib/page.ts'
import { Price } from '../lib/prices/price.ts'
import { describeCatalogue, listPrices, pricesOf } from '../lib/prices/prices.ts'
import { text } from '../lib/schema.ts'
import * as examples from '../lib/site/examples.ts'

const Prices = z
  .object({
    catalogue: z
      .object({ source: z.string(), url: z.string(), license: z.string(), date: z.iso.date(), models: z.int() })
      .describe('Where the prices come from that are not your own: public data, as of a date.'),
    prices: z.array(Price),
    next: z.string().describe('Pass it as `after` to get the next page. The last page has none.').optional(),
  })
  .meta({ id: 'PricePage', examples: [{ catalogue: examples.catalogue, prices: [examples.price] }] })

/** The operator's own prices; with `model`, every price of that model, the catalogue's too. */
export default handler({
  method: 'GET',
  path: '/api/prices',
  operationId: 'listPrices',
  tag: 'Prices',
  auth: 'read',
  tenancy: 'all',
  isReport: true,
  summary: 'Your own prices, the newest first, or all prices of a model',
  answers: { 200: Prices.describe('A page of prices; with `model`, all of that model, the first in force first.') },
  query: z.strictObject({
    model: text(200).describe("All prices of this model, the catalogue's too.").optional(),
    after: Cursor,
    limit: Limit,
  }),
  async handle(ctx, { query: { model, after, limit } }) {
    const catalogue = await describeCatalogue()
    if (model !== undefined) return json(200, { catalogue, prices: await pricesOf(ctx.database, model, ctx.clock()) })
    const { items, positions } = await listPrices(ctx.database, after ?? null, limit)
    return json(200, {
      catalogue,
      prices: items,
      ...(items.length === limit && { next: String(positions.at(-1)) }),
    })
  },
})
