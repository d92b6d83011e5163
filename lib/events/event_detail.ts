import { z } from 'zod'
import { MAX_TOKENS, type Pools, isMistake, tokensOf } from '../pools/pools.ts'
import { toPools } from '../pools/to_pools.ts'
import { COST, parseCost } from '../prices/money.ts'
import type { FieldError } from '../problem.ts'
import { text, whole } from '../schema.ts'
import { shorten, withCommas } from '../words.ts'

/** The value that counts all values of a split beyond what a tenant may have. */
export const REMAINDER = '(other)'

/** The user as whom all count who were forgotten (forget_user). */
const FORGOTTEN = '(forgotten)'

/** A value by which usage is split: a feature, a model, a user, or the value of a dimension. */
export const SplitValue = text(200)
  .refine((value) => value !== REMAINDER, `must not be '${REMAINDER}': that is the remainder`)
  .refine((value) => value !== FORGOTTEN, `must not be '${FORGOTTEN}': that stands for users who were forgotten`)

/** Tokens of one event, or of one reservation. */
export const Tokens = whole(1, MAX_TOKENS)

/** What an event, or what a reservation came to, may say beyond its feature. */
export const detailFields = {
  tokens: Tokens.describe('All tokens of the call. May be left out beside `usage`, which adds up to them.').optional(),
  usage: z
    .record(z.string(), z.unknown(), 'must be an object')
    .describe(
      'Tokens by pool (`input`, `cacheRead`, `cacheWrite`, `output`, `reasoning`), or the usage object of OpenAI, ' +
        'Anthropic, Gemini, Bedrock or the Vercel AI SDK as it came.',
    )
    .optional(),
  model: SplitValue.describe('The model, as its provider names it. The price is looked up by it.').optional(),
  user: SplitValue.describe("The tenant's own user or key; opaque text.").optional(),
  cost: z
    .union([z.string(COST), z.number(COST)], COST)
    .describe('US dollars, if the sender knows them; else the cost is computed from `usage` and `model`.')
    .optional(),
  dimensions: z
    .record(z.string(), SplitValue, 'must be an object')
    .describe('Values of the dimensions that the operator has declared (`DIMENSIONS`).')
    .optional(),
}

/** Those fields, as they were sent. */
export interface DetailInput {
  tokens?: number | undefined
  usage?: Record<string, unknown> | undefined
  model?: string | undefined
  user?: string | undefined
  cost?: string | number | undefined
  dimensions?: Record<string, string> | undefined
}

const Count = z.int().min(0)

/** What an event says beyond its feature and its tokens, as it travels. */
export const EventDetail = z.object({
  model: z.string().optional(),
  user: z.string().optional(),
  pools: z
    .object({
      input: Count,
      cacheRead: Count,
      cacheWrite: Count,
      output: Count,
      reasoning: Count,
      cacheWrite1h: Count.optional(),
    })
    .optional(),
  /** Nano-dollars, in decimal. */
  cost: z.string().optional(),
  dimensions: z.record(z.string(), z.string()).optional(),
})
export type EventDetail = z.infer<typeof EventDetail>

/** What of an event is counted. */
export interface Counted {
  tokens: number
  detail?: EventDetail
}

/**
 * Checks what the fields mean together, and turns them into what is counted.
 * `dimensions`: those that the operator has declared.
 */
export function toCounted(input: DetailInput, dimensions: string[]): Counted | FieldError[] {
  const { tokens, usage, model, user, cost } = input
  const hasDetail =
    usage !== undefined || model !== undefined || user !== undefined || cost !== undefined || input.dimensions
  if (tokens !== undefined && !hasDetail) return { tokens } // the way of most events
  const errors: FieldError[] = []
  let pools: Pools | undefined
  if (usage !== undefined) {
    const found = toPools(usage)
    if (isMistake(found)) errors.push(found)
    else pools = found
  }
  if (tokens === undefined && usage === undefined) errors.push({ field: 'tokens', detail: 'is required, or usage' })
  const sum = pools && tokensOf(pools)
  if (tokens !== undefined && sum !== undefined && tokens !== sum) {
    errors.push({ field: 'tokens', detail: `must equal what usage adds up to: ${withCommas(sum)}` })
  }
  const nanos = cost === undefined ? undefined : parseCost(cost)
  if (cost !== undefined && nanos === undefined) errors.push({ field: 'cost', detail: COST })
  for (const name in input.dimensions) {
    if (dimensions.includes(name)) continue
    const known = dimensions.length === 0 ? 'none is' : `declared are ${dimensions.join(', ')}`
    errors.push({ field: `dimensions.${shorten(name)}`, detail: `is not a declared dimension; ${known}` })
    break // one of many names enough
  }
  if (errors.length > 0) return errors
  const detail: EventDetail = {
    ...(model !== undefined && { model }),
    ...(user !== undefined && { user }),
    ...(pools && { pools }),
    ...(nanos !== undefined && { cost: String(nanos) }),
    ...(input.dimensions && Object.keys(input.dimensions).length > 0 && { dimensions: input.dimensions }),
  }
  return { tokens: tokens ?? sum!, ...(Object.keys(detail).length > 0 && { detail }) }
}
