import { z } from 'zod'
import { handler, json } from '../lib/http/endpoint.ts'
import { repriceStep } from '../lib/prices/reprice.ts'
import { TenantRef, Timestamp, text } from '../lib/schema.ts'
import * as examples from '../lib/site/examples.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'

/** Prices the next events of a range again: their cost was unknown, or a price was wrong. `flagmeter reprice` loops. */
export default handler({
  method: 'POST',
  path: '/api/reprice',
  operationId: 'repriceEvents',
  tag: 'Prices',
  auth: 'admin',
  tenancy: 'all',
  isReport: true,
  summary: 'Prices events again, step by step',
  answers: {
    200: z
      .object({
        examined: z.int().describe('How many events this step has looked at.'),
        repriced: z.int().describe('How many of them have another cost or price than before.'),
        next: z.string().describe('Pass it as `after` for the next step. The last step has none.').optional(),
      })
      .describe('The step is done. Every counter that has a cost was moved with the events.')
      .meta({ id: 'Repriced', examples: [examples.repriced] }),
  },
  problems: ['tenant_not_found'],
  body: z
    .strictObject({
      from: Timestamp.describe('Events that happened at this time or later.'),
      to: Timestamp.describe('Events that happened before this time.'),
      tenant: TenantRef.optional(),
      model: text(200).optional(),
      after: text(200).describe('The `next` of the step before.').optional(),
    })
    .refine(({ from, to }) => Date.parse(from) < Date.parse(to), { path: ['from'], error: 'must be before to' })
    .meta({ id: 'RepriceInput', examples: [examples.repriceInput] }),
  async handle(ctx, { body: { from, to, tenant, model, after } }) {
    const tenantId = tenant === undefined ? undefined : (await getTenant(ctx.database, tenant)).id
    return json(200, await repriceStep(ctx.database, { from, to, tenantId, model }, after))
  },
})
