import { z } from 'zod'
import type { Database } from '../lib/store/connection.ts'
import { query } from '../lib/store/database.ts'
import { withCommas } from '../lib/words.ts'
import * as examples from '../lib/site/examples.ts'
import { Instant, TenantRef, Timestamp, text } from '../lib/schema.ts'
import type { JsonText } from '../lib/http/answer_types.ts'
import { handler } from '../lib/http/endpoint.ts'
import { Problem } from '../lib/problem.ts'
import { loadSql } from '../lib/store/sql.ts'
import { Cost, UnpricedEvents } from '../lib/usage/usage.ts'
import { checkSplit } from '../lib/usage/split.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'

const Point = z
  .object({ start: Instant, totalTokens: z.int(), eventCount: z.int(), cost: Cost, unpricedEvents: UnpricedEvents })
  .meta({ id: 'UsagePoint', description: 'What was used in one step.' })

const Series = z
  .object({
    tenant: z.guid(),
    tenantName: z.string(),
    feature: z.string().optional(),
    step: z.enum(['minute', 'hour', 'day']),
    from: Instant,
    to: Instant,
    points: z.array(Point),
    features: z
      .array(z.object({ feature: z.string().nullable(), points: z.array(Point) }))
      .describe('With `by=feature`: the ten largest features of the range, and all others together as null.')
      .optional(),
    values: z
      .array(z.object({ value: z.string().nullable(), points: z.array(Point) }))
      .describe('With any other `by`: the ten largest values of the range, and all others together as null.')
      .optional(),
  })
  .meta({
    id: 'UsageSeries',
    description: 'Tokens over time; steps without events are left out.',
    examples: [examples.series],
  })
type Series = z.infer<typeof Series>

const STEP_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
/** A week of minutes: 1 MB. */
const MAX_STEPS = 10_080
/** By feature a step has up to twelve points: a day of minutes, and a little, stays below 2 MB too. */
const MAX_FEATURE_STEPS = 1_500

/** Tokens over time from the rollups, in steps of the tenant's time zone. Steps without events are left out. */
export default handler({
  method: 'GET',
  path: '/api/usage/:tenant/series',
  operationId: 'getUsageSeries',
  tag: 'Usage',
  auth: 'read',
  tenancy: 'named',
  isReport: true,
  summary: 'What a tenant used over time',
  answers: { 200: Series.describe('The series.') },
  problems: ['tenant_not_found', 'series_too_long'],
  params: z.object({ tenant: TenantRef }),
  query: z
    .strictObject({
      from: Timestamp.optional(),
      to: Timestamp.optional(),
      step: z.enum(['minute', 'hour', 'day'], 'must be minute, hour or day').default('hour'),
      feature: text(200).optional(), // the remainder too
      by: text(40)
        .optional()
        .describe('Splits by `feature`, `model`, `user`, `pool`, or a dimension that is declared.'),
      metric: z
        .enum(['tokens', 'requests', 'cost'], 'must be tokens, requests or cost')
        .default('tokens')
        .describe('With `by`: what makes a value one of the ten largest.'),
    })
    .refine(({ feature, by }) => feature === undefined || by === undefined, {
      path: ['by'],
      error: 'must not be given with feature',
    })
    .refine(({ by, metric }) => by !== 'pool' || metric === 'tokens', {
      path: ['metric'],
      error: 'must be tokens: requests and cost have no pools',
    })
    .refine(({ by, step }) => [undefined, 'feature', 'pool'].includes(by) || step !== 'minute', {
      path: ['step'],
      error: 'must be hour or day: minutes are kept by feature and pool alone',
    }),
  async handle(ctx, { params, query: { from, to, step, feature, by, metric } }) {
    if (by !== 'pool') checkSplit(ctx.config, by)
    const end = to ? Date.parse(to) : ctx.clock() + STEP_MS.minute
    const start = from ? Date.parse(from) : end - STEP_MS.day
    checkRange(start, end, step, by ? MAX_FEATURE_STEPS : MAX_STEPS)
    const tenant = await getTenant(ctx.database, params.tenant)
    const range = { from: new Date(start).toISOString(), to: new Date(end).toISOString() }
    const where = [range.from, range.to, step, tenant.timezone]
    // One after the other: a report has one connection.
    const [of] = await query<{ points: string }>(ctx.database, loadSql('queries/usage_series'), [
      tenant.id,
      feature ?? null,
      ...where,
    ])
    const isByFeature = by === 'feature'
    const split = await readSplit(ctx.database, by, [tenant.id, ...where], metric)
    const head = { tenant: tenant.id, tenantName: tenant.name, ...(feature && { feature }), step, ...range }
    const values = split ? `,"${isByFeature ? 'features' : 'values'}":${split.values}` : ''
    const document = `${JSON.stringify(head).slice(0, -1)},"points":${of!.points}${values}}`
    return { status: 200, text: document as JsonText<Series> }
  },
})

/** The values of the split; undefined: the series is not split. */
async function readSplit(
  database: Database,
  by: string | undefined,
  where: string[],
  metric: string,
): Promise<{ values: string } | undefined> {
  const read = async (name: string, args: string[]) =>
    (await query<{ values: string }>(database, loadSql(`queries/usage_series_${name}`), args))[0]
  if (by === undefined) return undefined
  if (by === 'pool') return await read('pools', where)
  return by === 'feature' ? await read('features', [...where, metric]) : await read('splits', [...where, metric, by])
}

function checkRange(start: number, end: number, step: keyof typeof STEP_MS, most: number): void {
  if (start >= end) {
    throw new Problem('invalid_request', {
      detail: 'from must be before to',
      errors: [{ field: 'from', detail: 'must be before to' }],
    })
  }
  const steps = Math.ceil((end - start) / STEP_MS[step])
  if (steps > most) {
    const detail =
      `must be at most ${withCommas(most)} steps after from, and is ${withCommas(steps)}; ` +
      'take a larger step or a shorter range'
    throw new Problem('series_too_long', { detail: `to ${detail}`, errors: [{ field: 'to', detail }] })
  }
}
