import { z } from 'zod'
import { Feature } from '../events/event.ts'
import { SplitValue } from '../events/event_detail.ts'
import { parseDollars } from '../prices/money.ts'
import { whole } from '../schema.ts'
import { type LimitInput, Period } from './limit.ts'

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

const COST_LIMIT = 'must be US dollars from 0.000000001 to 1,000,000, as a number or as decimal text like "500.00"'
const CostLimit = z
  .union([z.string(COST_LIMIT), z.number(COST_LIMIT)], COST_LIMIT)
  .refine((amount) => (parseDollars(amount) ?? 0n) > 0n, COST_LIMIT)

/** The limit of a quota, by what it counts: exactly one of them. */
export const limitFields = {
  tokenLimit: TokenLimit.describe('Tokens per period.').optional(),
  requestLimit: whole(1, 1e15).describe('Requests per period: events and reservations.').optional(),
  costLimit: CostLimit.describe('US dollars per period.').optional(),
}
const LIMITS = Object.keys(limitFields) as (keyof LimitInput)[]
const countOfLimits = (input: LimitInput): number => LIMITS.filter((name) => input[name] !== undefined).length

/** What of a quota may be changed. The limit must be in what the quota counts. */
export const QuotaChanges = z
  .strictObject({ ...limitFields, hard: Hard.optional(), thresholds: Thresholds.optional() })
  .refine((input) => countOfLimits(input) <= 1, {
    path: ['tokenLimit'],
    error: `must be the only one of ${LIMITS.join(', ')}`,
  })
export type QuotaChanges = z.infer<typeof QuotaChanges>

/** A quota as a person gives it. Without a feature or model it counts all of them. */
export const quotaFields = {
  feature: Feature.optional(),
  model: SplitValue.describe('The only model that it counts; default: all.').optional(),
  per: z
    .literal('user', 'must be user')
    .describe('Counts each user by itself, from its first event on. Events without a user are not counted.')
    .optional(),
  period: Period,
  ...QuotaChanges.shape,
}
export const QuotaSettings = withOneLimit(z.strictObject(quotaFields))
export type QuotaSettings = z.infer<typeof QuotaSettings>

/** The same schema, which also wants exactly one limit. */
export function withOneLimit<Schema extends z.ZodType<LimitInput>>(schema: Schema): Schema {
  return schema.refine((input) => countOfLimits(input) === 1, {
    path: ['tokenLimit'],
    error: `is required, or ${LIMITS.slice(1).join(' or ')}; exactly one of them`,
  })
}
