import { z } from 'zod'
import { Instant } from '../schema.ts'
import * as examples from '../site/examples.ts'
import { toDocument } from '../store/document.ts'

/** US dollars, in decimal. */
export const Cost = z
  .string()
  .describe('US dollars as decimal text, exact. Events whose cost is unknown are not in it.')
export const UnpricedEvents = z.int().describe('Events whose cost is unknown.')

const Tokens = z.int()
/** Tokens of events that said their usage. */
export const PoolTokens = z
  .object({ input: Tokens, cacheRead: Tokens, cacheWrite: Tokens, output: Tokens, reasoning: Tokens })
  .meta({ id: 'Pools', description: 'Tokens by pool, of events that said their usage.', examples: [examples.pools] })

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
  /** US dollars, in decimal. */
  cost: string
  unpriced_events: number
}

/** What a tenant has used of its monthly quota in the open period. */
export const Usage = z.object({
  tenant: z.guid(),
  tenantName: z.string(),
  totalTokens: z.int(),
  eventCount: z.int(),
  cost: Cost,
  unpricedEvents: UnpricedEvents,
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
