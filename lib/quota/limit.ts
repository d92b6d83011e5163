import { z } from 'zod'
import { dollarsInWords, formatDollars, parseDollars } from '../prices/money.ts'
import { must } from '../schema.ts'
import { withCommas } from '../words.ts'

/** How often a quota begins again, in the tenant's time zone: weeks on Monday, months on the billing day. */
export const PERIODS = ['hour', 'day', 'week', 'month'] as const
export const Period = z.enum(PERIODS, { error: must(`must be one of ${PERIODS.join(', ')}`).error }).meta({
  id: 'Period',
  description: "How often a quota starts again, in the tenant's time zone: weeks on Monday, months on the billing day.",
})
export type Period = z.infer<typeof Period>

/** What a quota counts. Its limit has a name of its own for each. */
export const METRICS = ['tokens', 'requests', 'cost'] as const
export type Metric = (typeof METRICS)[number]

/** The limit of a quota in a request, or in a document. */
export type LimitInput = {
  tokenLimit?: number | undefined
  requestLimit?: number | undefined
  costLimit?: string | number | undefined
}

/** What a limit counts, and the limit in that: tokens, requests, or nano-dollars. Undefined: none is given. */
export function limitOf({
  tokenLimit,
  requestLimit,
  costLimit,
}: LimitInput): { metric: Metric; limit: number } | undefined {
  if (tokenLimit !== undefined) return { metric: 'tokens', limit: tokenLimit }
  if (requestLimit !== undefined) return { metric: 'requests', limit: requestLimit }
  return costLimit === undefined ? undefined : { metric: 'cost', limit: Number(parseDollars(costLimit)!) }
}

/** US dollars in an answer. */
export const Dollars = z.string().regex(/^\d+(\.\d{1,9})?$/)

/** The limit of a quota in an answer, under its own name. */
export const limitsShown = {
  tokenLimit: z.int().describe('Tokens per period.').optional(),
  requestLimit: z.int().describe('Requests per period.').optional(),
  costLimit: Dollars.describe('US dollars per period.').optional(),
}

/** A limit as the API shows it, under its own name. */
export const showLimit = (
  metric: Metric,
  limit: number,
): { tokenLimit?: number; requestLimit?: number; costLimit?: string } => {
  if (metric === 'cost') return { costLimit: formatDollars(BigInt(limit)) }
  return metric === 'tokens' ? { tokenLimit: limit } : { requestLimit: limit }
}

const SINCE: Record<Period, string> = { hour: 'this hour', day: 'today', week: 'this week', month: 'this month' }

/** Like `50,000 gpt-4-turbo tokens today`, `100 requests to gpt-4o this hour`, or `$500.00 of chat this month`. */
export function limitInWords({
  feature,
  model,
  period,
  ...limits
}: LimitInput & { feature?: string | undefined; model?: string | undefined; period: Period }): string {
  const { metric, limit } = limitOf(limits)!
  const end = `${model === undefined ? '' : ` to ${model}`} ${SINCE[period]}`
  if (metric !== 'cost') return `${withCommas(limit)} ${feature === undefined ? '' : `${feature} `}${metric}${end}`
  return `${dollarsInWords(BigInt(limit))}${feature === undefined ? '' : ` of ${feature}`}${end}`
}
