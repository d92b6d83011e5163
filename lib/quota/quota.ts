import { z } from 'zod'
import { Feature } from '../events/event.ts'
import { Instant, must, whole } from '../schema.ts'
import * as examples from '../site/examples.ts'
import { quotaPercent } from '../usage/usage.ts'
import { withCommas } from '../words.ts'

/** How often a quota begins again, in the tenant's time zone: weeks on Monday, months on the billing day. */
export const PERIODS = ['hour', 'day', 'week', 'month'] as const
export const Period = z.enum(PERIODS, { error: must(`must be one of ${PERIODS.join(', ')}`).error }).meta({
  id: 'Period',
  description: "How often a quota starts again, in the tenant's time zone: weeks on Monday, months on the billing day.",
})
export type Period = z.infer<typeof Period>

/** Percent of a quota at which alerts are raised. */
export const Thresholds = z
  .array(whole(1, 1_000), 'must be a list of percentages')
  .min(1, 'must be 1 to 10 percentages')
  .max(10, 'must be 1 to 10 percentages')
  .transform((percents) => [...new Set(percents)].sort((a, b) => a - b))

/** Tokens per period. */
export const TokenLimit = whole(1, 1e15)
/** Whether checks and reservations are refused beyond the limit; a soft quota only alerts. */
export const Hard = z.boolean('must be true or false')

/** What of a quota may be changed. */
export const QuotaChanges = z.strictObject({
  tokenLimit: TokenLimit.optional(),
  hard: Hard.optional(),
  thresholds: Thresholds.optional(),
})
export type QuotaChanges = z.infer<typeof QuotaChanges>

/** A quota as a person gives it. Without a feature it counts all of them. */
export const QuotaSettings = z.strictObject({
  feature: Feature.optional(),
  period: Period,
  ...QuotaChanges.shape,
  tokenLimit: TokenLimit,
})
export type QuotaSettings = z.infer<typeof QuotaSettings>

/** A quota with its counter, as `quotas_at` and `reserve_tokens` return it; times are strings in JSON. */
export interface QuotaRow {
  quota_id: string
  feature: string | null
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
    period: Period,
    hard: z.boolean().describe('Whether checks and reservations beyond it are refused.'),
    tokenLimit: z.int().describe('Tokens per period.'),
    totalTokens: z.int().describe('Tokens used in the open period.'),
    reservedTokens: z.int().describe('Tokens held by reservations that are not settled yet.'),
    quotaPercent: z.number().describe('What is used of the limit, without what is reserved, rounded down to 0.01 %.'),
    periodStart: Instant,
    resetAt: Instant.describe('When the counter starts again at 0.'),
  })
  .meta({
    id: 'QuotaUsage',
    description: 'A quota, and what was used of it in its open period.',
    examples: [examples.quotaUsage],
  })
export type QuotaUsage = z.infer<typeof QuotaUsage>

/** The document of a row. */
export const toQuotaUsage = (row: QuotaRow): QuotaUsage => ({
  id: row.quota_id,
  ...(row.feature !== null && { feature: row.feature }),
  period: row.period,
  hard: row.hard,
  tokenLimit: row.token_limit,
  totalTokens: row.total_tokens,
  reservedTokens: row.reserved_tokens,
  quotaPercent: quotaPercent(row.total_tokens, row.token_limit),
  periodStart: new Date(row.period_start).toISOString(),
  resetAt: new Date(row.period_end).toISOString(),
})

const SINCE: Record<Period, string> = { hour: 'this hour', day: 'today', week: 'this week', month: 'this month' }

/** Like `50,000 gpt-4-turbo tokens today`. */
export function limitInWords({
  tokenLimit,
  feature,
  period,
}: Pick<QuotaUsage, 'tokenLimit' | 'feature' | 'period'>): string {
  return `${withCommas(tokenLimit)} ${feature === undefined ? '' : `${feature} `}tokens ${SINCE[period]}`
}

/** What may still be used of a quota; negative when it is exceeded. */
const roomOf = (quota: QuotaUsage): number => quota.tokenLimit - quota.totalTokens - quota.reservedTokens

/**
 * The quota that decides about a feature: the hard one with the least left; when none is hard, the soft one. The same
 * rule as in `reserve_tokens`. A tenant has at least its monthly quota.
 */
export function tightest(quotas: QuotaUsage[], feature: string): { quota: QuotaUsage; room: number } {
  let found: QuotaUsage | undefined
  for (const quota of quotas) {
    if ((quota.feature ?? feature) !== feature) continue
    if (!found || (quota.hard === found.hard ? roomOf(quota) < roomOf(found) : quota.hard)) found = quota
  }
  if (!found) throw new Error('a tenant without a quota')
  return { quota: found, room: roomOf(found) }
}
