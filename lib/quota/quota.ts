import { z } from 'zod'
import { formatDollars } from '../prices/money.ts'
import { Instant } from '../schema.ts'
import * as examples from '../site/examples.ts'
import { quotaPercent } from '../usage/usage.ts'
import { Dollars, type Metric, Period, limitsShown, showLimit } from './limit.ts'

/** A quota with its counter, as `quotas_at` and `reserve_tokens` return it, in its metric. In JSON, times are text. */
export interface QuotaRow {
  quota_id: string
  metric: Metric
  feature: string | null
  model: string | null
  /** Of a quota per user; else ''. */
  user_id: string
  period: Period
  hard: boolean
  token_limit: number
  period_start: Date | string
  period_end: Date | string
  total_tokens: number
  reserved_tokens: number
}

/** A quota and what was used of it in its open period. */
export const QuotaUsage = z
  .object({
    id: z.guid().describe("Of the monthly quota: the tenant's own id."),
    feature: z.string().describe('The only feature that it counts; absent: all.').optional(),
    model: z.string().describe('The only model that it counts; absent: all.').optional(),
    user: z.string().describe('Of a quota per user: whose counter it is.').optional(),
    period: Period,
    hard: z.boolean().describe('Whether checks and reservations beyond it are refused.'),
    ...limitsShown,
    totalTokens: z.int().describe('Tokens used in the open period.').optional(),
    reservedTokens: z.int().describe('Tokens held by reservations that are not settled yet.').optional(),
    totalRequests: z.int().describe('Requests in the open period.').optional(),
    reservedRequests: z.int().describe('Reservations that are not settled yet.').optional(),
    totalCost: Dollars.describe('US dollars used in the open period.').optional(),
    reservedCost: Dollars.describe('US dollars held by reservations that are not settled yet.').optional(),
    quotaPercent: z.number().describe('What is used of the limit, without what is reserved, rounded down to 0.01 %.'),
    periodStart: Instant,
    resetAt: Instant.describe('When the counter starts again at 0.'),
  })
  .meta({
    id: 'QuotaUsage',
    description: 'A quota, and what was used of it in its open period: of tokens, requests or cost, as it counts.',
    examples: [examples.quotaUsage],
  })
export type QuotaUsage = z.infer<typeof QuotaUsage>

/** What is used and held, the same way. */
function showUse(metric: Metric, used: number, held: number) {
  if (metric === 'tokens') return { totalTokens: used, reservedTokens: held }
  if (metric === 'requests') return { totalRequests: used, reservedRequests: held }
  return { totalCost: formatDollars(BigInt(used)), reservedCost: formatDollars(BigInt(held)) }
}

/** The document of a row. */
export const toQuotaUsage = (row: QuotaRow): QuotaUsage => ({
  id: row.quota_id,
  ...(row.feature !== null && { feature: row.feature }),
  ...(row.model !== null && { model: row.model }),
  ...(row.user_id !== '' && { user: row.user_id }),
  period: row.period,
  hard: row.hard,
  ...showLimit(row.metric, row.token_limit),
  ...showUse(row.metric, row.total_tokens, row.reserved_tokens),
  quotaPercent: quotaPercent(row.total_tokens, row.token_limit),
  periodStart: new Date(row.period_start).toISOString(),
  resetAt: new Date(row.period_end).toISOString(),
})
