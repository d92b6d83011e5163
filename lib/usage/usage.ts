import { z } from 'zod'
import { Instant } from '../schema.ts'
import { toDocument } from '../store/document.ts'

/** A row of `usage_get` or `usage_list`. */
export interface UsageRow {
  tenant: string
  tenant_name: string
  monthly_quota: number
  period_start: Date
  /** Where the next period starts. */
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
  monthlyQuota: z.int().describe('Tokens per billing period.'),
  quotaPercent: z.number().describe('What is used of it, rounded down to 0.01 %: 100 means reached.'),
  periodStart: Instant,
  periodEnd: Instant.describe("The period's last millisecond."),
})
export type Usage = z.infer<typeof Usage>

/** Percent of the limit, rounded down to two decimals. */
export const quotaPercent = (totalTokens: number, tokenLimit: number): number =>
  Math.floor((totalTokens * 10_000) / tokenLimit) / 100

/** The usage document of a row. */
export const toUsage = <Row extends UsageRow>(row: Row) =>
  Object.assign(toDocument(row), {
    quotaPercent: quotaPercent(row.total_tokens, row.monthly_quota),
    periodEnd: new Date(row.period_end.getTime() - 1).toISOString(),
  })
