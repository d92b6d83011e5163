import { z } from 'zod'
import { Instant } from '../schema.ts'

/** A row of `usage_get` or `usage_list`. */
export interface UsageRow {
  id: string
  name: string
  monthly_quota: number
  period_start: Date
  period_end: Date
  total_tokens: number
  event_count: number
}

/** What a tenant has used of its monthly quota in the open period. */
export const Usage = z.object({
  tenant: z.guid(),
  tenantName: z.string(),
  totalTokens: z.int(),
  eventCount: z.int(),
  monthlyQuota: z.int(),
  /** In hundredths of a percent, rounded down: 100 means reached. */
  quotaPercent: z.number(),
  periodStart: Instant,
  /** The period's last millisecond. */
  periodEnd: Instant,
})
export type Usage = z.infer<typeof Usage>

/** Percent of the limit, rounded down to two decimals. */
export const quotaPercent = (totalTokens: number, tokenLimit: number): number =>
  Math.floor((totalTokens * 10_000) / tokenLimit) / 100

/** The usage document of a row. */
export const toUsage = (row: UsageRow): Usage => ({
  tenant: row.id,
  tenantName: row.name,
  totalTokens: row.total_tokens,
  eventCount: row.event_count,
  monthlyQuota: row.monthly_quota,
  quotaPercent: quotaPercent(row.total_tokens, row.monthly_quota),
  periodStart: row.period_start.toISOString(),
  periodEnd: new Date(row.period_end.getTime() - 1).toISOString(),
})
