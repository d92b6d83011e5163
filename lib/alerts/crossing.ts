import { z } from 'zod'
import { Instant } from '../schema.ts'
import { PERIODS, type Period } from '../quota/quota.ts'
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
  threshold: z.int(),
  quotaPercent: z.number(),
  totalTokens: z.int(),
  quota: z.object({
    /** Of the monthly quota: the tenant's own id. */
    id: z.guid(),
    /** Absent: all features. */
    feature: z.string().optional(),
    period: z.enum(PERIODS),
    tokenLimit: z.int(),
    version: z.int(),
  }),
  periodStart: Instant,
  /** The period's last millisecond. */
  periodEnd: Instant,
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
