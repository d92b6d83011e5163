import { z } from 'zod'
import { query } from '../lib/database.ts'
import * as examples from '../lib/examples.ts'
import { Instant, TenantRef, Timestamp, text } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { Problem } from '../lib/problem.ts'
import { loadSql } from '../lib/sql.ts'
import { getTenant } from '../lib/tenants.ts'

const usageSeriesSql = loadSql('queries/usage_series')
const usageSeriesFeaturesSql = loadSql('queries/usage_series_features')

const Point = z.object({ start: Instant, totalTokens: z.int(), eventCount: z.int() })

const Series = z
  .object({
    tenant: z.guid(),
    tenantName: z.string(),
    feature: z.string().optional(),
    step: z.enum(['minute', 'hour', 'day']),
    from: Instant,
    to: Instant,
    points: z.array(Point),
    /** With `by=feature`: the ten largest of the range, and all others together as null. */
    features: z.array(z.object({ feature: z.string().nullable(), points: z.array(Point) })).optional(),
  })
  .meta({ examples: [examples.series] })

const STEP_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
/** A week of minutes. */
const MAX_POINTS = 10_080

/** Tokens over time from the rollups, in steps of the tenant's time zone. Steps without events are left out. */
export default handler({
  method: 'GET',
  path: '/api/usage/:tenant/series',
  auth: 'read',
  tenancy: 'named',
  summary: 'Tokens of a tenant over time',
  answers: { 200: Series },
  problems: ['tenant_not_found', 'series_too_long'],
  params: z.object({ tenant: TenantRef }),
  query: z
    .strictObject({
      from: Timestamp.optional(),
      to: Timestamp.optional(),
      step: z.enum(['minute', 'hour', 'day'], 'must be minute, hour or day').default('hour'),
      feature: text(200).optional(), // the remainder too
      by: z.enum(['feature'], 'must be feature').optional(),
    })
    .refine(({ feature, by }) => feature === undefined || by === undefined, {
      path: ['by'],
      error: 'must not stand beside feature',
    }),
  async handle(ctx, { params, query: { from, to, step, feature, by } }) {
    const end = to ? Date.parse(to) : ctx.clock() + STEP_MS.minute
    const start = from ? Date.parse(from) : end - STEP_MS.day
    checkRange(start, end, step)
    const tenant = await getTenant(ctx.database, params.tenant)
    const range = { from: new Date(start).toISOString(), to: new Date(end).toISOString() }
    const where = [range.from, range.to, step, tenant.timezone]
    const [points, features] = await Promise.all([
      query<PointRow>(ctx.database, usageSeriesSql, [tenant.id, feature ?? null, ...where]),
      by && query<PointRow & { feature: string | null }>(ctx.database, usageSeriesFeaturesSql, [tenant.id, ...where]),
    ])
    return json(200, {
      tenant: tenant.id,
      tenantName: tenant.name,
      ...(feature && { feature }),
      step,
      ...range,
      points: points.map(toPoint),
      ...(features && { features: byFeature(features) }),
    })
  },
})

interface PointRow {
  start: Date
  total_tokens: number
  event_count: number
}

const toPoint = (row: PointRow): z.infer<typeof Point> => ({
  start: row.start.toISOString(),
  totalTokens: row.total_tokens,
  eventCount: row.event_count,
})

/** The features by their tokens, the largest first; the others come last. */
function byFeature(rows: (PointRow & { feature: string | null })[]) {
  const features = new Map<string | null, { tokens: number; points: z.infer<typeof Point>[] }>()
  for (const row of rows) {
    const of = features.get(row.feature) ?? { tokens: 0, points: [] }
    features.set(row.feature, of)
    of.tokens += row.total_tokens
    of.points.push(toPoint(row))
  }
  const rank = (feature: string | null, tokens: number) => (feature === null ? -1 : tokens)
  return [...features]
    .sort(([a, { tokens: x }], [b, { tokens: y }]) => rank(b, y) - rank(a, x))
    .map(([feature, { points }]) => ({ feature, points }))
}

function checkRange(start: number, end: number, step: keyof typeof STEP_MS): void {
  if (start >= end) {
    throw new Problem('invalid_request', {
      detail: 'from must be before to',
      errors: [{ field: 'from', detail: 'must be before to' }],
    })
  }
  const points = Math.ceil((end - start) / STEP_MS[step])
  if (points > MAX_POINTS) {
    const detail = `must not be more than ${MAX_POINTS} steps after from, not ${points}; take a larger step or a shorter range`
    throw new Problem('series_too_long', { detail: `to ${detail}`, errors: [{ field: 'to', detail }] })
  }
}
