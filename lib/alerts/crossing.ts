import { z } from 'zod'
import { Instant } from '../schema.ts'
import { Period } from '../quota/quota.ts'
import { quotaPercent } from '../usage/usage.ts'

/** A threshold that was crossed, as it stands in `alerts`. */
export interface CrossingRow {
  quota_id: string
  feature: string | null
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
  totalTokens: z.int(),
  quota: z.object({
    id: z.guid().describe("Of the monthly quota: the tenant's own id."),
    feature: z.string().describe('The only feature that it counts; absent: all.').optional(),
    period: Period,
    tokenLimit: z.int(),
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
  totalTokens: row.total_tokens,
  quota: {
    id: row.quota_id,
    ...(row.feature !== null && { feature: row.feature }),
    period: row.period,
    tokenLimit: row.token_limit,
    version: row.quota_version,
  },
  periodStart: row.period_start.toISOString(),
  periodEnd: new Date(row.period_end.getTime() - 1).toISOString(),
})
