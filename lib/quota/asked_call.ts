import { z } from 'zod'
import { Feature } from '../events/event.ts'
import { SplitValue, Tokens } from '../events/event_detail.ts'
import { MAX_TOKENS } from '../pools/pools.ts'
import { cataloguePrices } from '../prices/catalogue.ts'
import { formatDollars } from '../prices/money.ts'
import { TenantRef, whole } from '../schema.ts'
import type { Database } from '../store/connection.ts'
import { query } from '../store/database.ts'
import { loadSql } from '../store/sql.ts'
import type { Metric } from './limit.ts'
import type { AskedCall } from './tightest.ts'

/** A call to a model that a check or a reservation is about. */
export const callFields = {
  tenant: TenantRef,
  feature: Feature,
  model: SplitValue.describe('The model, as events name it. Quotas of a model, and of cost, go by it.').optional(),
  user: SplitValue.describe("The tenant's own user. Quotas per user go by it.").optional(),
  tokens: Tokens.describe('The most tokens that the call may come to.').optional(),
  input: whole(0, MAX_TOKENS).describe('Instead of `tokens`: input tokens, cached or not, at most.').optional(),
  output: whole(0, MAX_TOKENS).describe('Instead of `tokens`: output tokens at most, with reasoning.').optional(),
}

interface CallInput {
  tokens?: number | undefined
  input?: number | undefined
  output?: number | undefined
}

/** The same schema, which also wants either `tokens`, or `input` and `output`. */
export const withTokens = <Schema extends z.ZodType<CallInput>>(schema: Schema): Schema =>
  schema
    .refine(({ tokens, input, output }) => (tokens === undefined) !== (input === undefined && output === undefined), {
      path: ['tokens'],
      error: 'is required, or input and output instead of it',
    })
    .refine(({ input, output }) => (input === undefined) === (output === undefined), {
      path: ['output'],
      error: 'must be given along with input',
    })
    .refine(({ input = 1, output = 0 }) => input + output > 0 && input + output <= MAX_TOKENS, {
      path: ['input'],
      error: 'must come to at least one token with output, and to a billion at most',
    })

/** All tokens of the call. */
export const tokensOfCall = ({ tokens, input = 0, output = 0 }: CallInput): number => tokens ?? input + output

/** The most that a call may cost now, in nano-dollars; undefined: there is no price. */
export async function mostOf(
  database: Database,
  now: number,
  { model, tokens, input, output }: AskedCall & CallInput,
): Promise<number | undefined> {
  if (model === undefined) return undefined
  const prices = JSON.stringify(await cataloguePrices([model]))
  const args = [model, tokens, input ?? null, output ?? null, new Date(now).toISOString(), prices]
  const [row] = await query<{ cost_nanos: number | null }>(database, loadSql('queries/price_call'), args)
  return row?.cost_nanos ?? undefined
}

/** What is left, as the API says it: tokens or requests as a number, dollars as text. */
export const showRoom = (metric: Metric, room: number): { remaining?: number; remainingCost?: string } =>
  metric === 'cost' ? { remainingCost: formatDollars(BigInt(Math.max(0, room))) } : { remaining: Math.max(0, room) }

/** How an answer describes it. */
export const roomShown = {
  remaining: z.int().describe('What the tightest quota has left: tokens, or requests, as it counts.').optional(),
  remainingCost: z.string().describe('The same of a quota of cost, in US dollars.').optional(),
}
