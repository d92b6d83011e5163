import { z } from 'zod'
import { Instant } from '../schema.ts'
import { type Metric, Period, limitsShown, showLimit } from '../quota/limit.ts'
import { formatDollars } from '../prices/money.ts'
import { quotaPercent } from '../usage/usage.ts'

/** A threshold that was crossed, as it stands in `alerts`. */
export interface CrossingRow {
  quota_id: string
  metric: Metric
  feature: string | null
  model: string | null
  user_id: string | null
  period: Period
  quota_version: number
  threshold: number
  token_limit: number
  total_tokens: number
  period_start: Date
  period_end: Date
}

/** The same, as the API and webhooks show it. */
export const Crossing = z.object({
  threshold: z.int().describe('The threshold that was crossed, in percent.'),
  quotaPercent: z.number().describe('What was used of the limit when it was crossed, in percent.'),
  user: z.string().describe('Of a quota per user: who has crossed it.').optional(),
  totalTokens: z.int().describe('What was used when it was crossed, of a quota of tokens.').optional(),
  totalRequests: z.int().describe('The same, of a quota of requests.').optional(),
  totalCost: z.string().describe('The same, of a quota of cost, in US dollars.').optional(),
  quota: z.object({
    id: z.guid().describe("Of the monthly quota: the tenant's own id."),
    feature: z.string().describe('The only feature that it counts; absent: all.').optional(),
    model: z.string().describe('The only model that it counts; absent: all.').optional(),
    period: Period,
    ...limitsShown,
    version: z.int().describe('Counts the changes of the limit: each may raise the same alert again.'),
  }),
  periodStart: Instant,
  periodEnd: Instant.describe("The period's last millisecond."),
})
export type Crossing = z.infer<typeof Crossing>

/** The document of a row. */
export const toCrossing = (row: CrossingRow): Crossing => ({
  threshold: row.threshold,
  quotaPercent: quotaPercent(row.total_tokens, row.token_limit),
  ...(row.user_id !== null && { user: row.user_id }),
  ...totalOf(row),
  quota: {
    id: row.quota_id,
    ...(row.feature !== null && { feature: row.feature }),
    ...(row.model !== null && { model: row.model }),
    period: row.period,
    ...showLimit(row.metric, row.token_limit),
    version: row.quota_version,
  },
  periodStart: row.period_start.toISOString(),
  periodEnd: new Date(row.period_end.getTime() - 1).toISOString(),
})

function totalOf({
  metric,
  total_tokens: used,
}: CrossingRow): Pick<Crossing, 'totalTokens' | 'totalRequests' | 'totalCost'> {
  if (metric === 'cost') return { totalCost: formatDollars(BigInt(used)) }
  return metric === 'tokens' ? { totalTokens: used } : { totalRequests: used }
}
