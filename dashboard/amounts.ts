import { compact, exact } from './format.ts'

/** What is counted: tokens, requests, or US dollars. */
export type Metric = 'tokens' | 'requests' | 'cost'

const usd = { style: 'currency', currency: 'USD' } as const
const cents = new Intl.NumberFormat('en-US', usd)
const fractions = new Intl.NumberFormat('en-US', { ...usd, maximumFractionDigits: 6 })
const tiny = new Intl.NumberFormat('en-US', { ...usd, maximumSignificantDigits: 2 })

/** An amount as a person reads it: short, or exact. A millionth of a dollar is exact enough for eyes. */
export const inShort = (metric: Metric, amount: number): string =>
  metric === 'cost' ? (amount > 0 && amount < 0.01 ? tiny : cents).format(amount) : compact(amount)
export const inFull = (metric: Metric, amount: number): string =>
  metric === 'cost' ? fractions.format(amount) : exact(amount)

interface Limited {
  tokenLimit?: number
  requestLimit?: number
  costLimit?: string
}
interface Used {
  totalTokens?: number
  reservedTokens?: number
  totalRequests?: number
  reservedRequests?: number
  totalCost?: string
  reservedCost?: string
}

/** What a quota counts, and its limit in that. */
export function limitOf({ tokenLimit, requestLimit, costLimit }: Limited): { metric: Metric; limit: number } {
  if (costLimit !== undefined) return { metric: 'cost', limit: Number(costLimit) }
  if (requestLimit !== undefined) return { metric: 'requests', limit: requestLimit }
  return { metric: 'tokens', limit: tokenLimit ?? 0 }
}

/** What is used and held of a quota, in what it counts. */
export const useOf = (usage: Used | undefined): { used: number; held: number } => ({
  used: usage?.totalTokens ?? usage?.totalRequests ?? Number(usage?.totalCost ?? 0),
  held: usage?.reservedTokens ?? usage?.reservedRequests ?? Number(usage?.reservedCost ?? 0),
})

/** `tokens`, `requests`, or nothing: dollars say it themselves. */
export const unitOf = (metric: Metric): string => (metric === 'cost' ? '' : metric)
