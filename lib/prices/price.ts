import { z } from 'zod'
import { Instant, Timestamp, text, whole } from '../schema.ts'
import * as examples from '../site/examples.ts'
import type { Rates, TierRates } from './catalogue.ts'
import { DOLLARS, formatDollars, parseDollars } from './money.ts'

/** What the rates of a price are for, and which one applies where a rate is left out. */
const RATES = {
  input: { otherwise: undefined, description: 'Input that is neither read from a cache nor written to one.' },
  output: { otherwise: undefined, description: 'Output without reasoning.' },
  cacheRead: { otherwise: 'input', description: 'Input read from a cache; default: as input.' },
  cacheWrite: { otherwise: 'input', description: 'Input written to a cache; default: as input.' },
  cacheWrite1h: {
    otherwise: 'cacheWrite',
    description: 'Input written to a cache for an hour; default: as cacheWrite.',
  },
  reasoning: { otherwise: 'output', description: 'Reasoning; default: as output.' },
} as const
type RateName = keyof typeof RATES

const Amount = z.union([z.string(DOLLARS), z.number(DOLLARS)], {
  error: (issue) => (issue.input === undefined ? 'is required' : DOLLARS),
})
const AmountText = Amount.transform((amount, context) => {
  const nanos = parseDollars(amount)
  if (nanos !== undefined) return nanos
  context.addIssue(DOLLARS)
  return z.NEVER
})
const rate = (name: RateName) => AmountText.describe(RATES[name].description)

const rateFields = {
  input: rate('input'),
  output: rate('output'),
  cacheRead: rate('cacheRead').optional(),
  cacheWrite: rate('cacheWrite').optional(),
  cacheWrite1h: rate('cacheWrite1h').optional(),
  reasoning: rate('reasoning').optional(),
  request: AmountText.describe('For each call, whatever its tokens; in dollars; default: 0.').optional(),
}
type RateFields = { [Name in keyof typeof rateFields]?: bigint | undefined } & { input: bigint; output: bigint }

const MODEL = 'must be the name of a model, or the beginning of one with * behind it'

/** A price as an operator sets it. Rates are US dollars per million tokens. */
export const PriceInput = z
  .strictObject({
    model: text(200)
      .regex(/^[^*]*\*?$/, MODEL)
      .describe('A name, or the beginning of one with `*` behind it.'),
    effectiveFrom: Timestamp.describe('From when it applies; default: now.').optional(),
    ...rateFields,
    tiers: z
      .array(
        z.strictObject({
          above: whole(0, 1_000_000_000).describe(
            'With more input than this, cached or not, the rates of the tier apply.',
          ),
          ...rateFields,
        }),
      )
      .max(10, 'must be at most 10 tiers')
      .refine((tiers) => new Set(tiers.map(({ above }) => above)).size === tiers.length, 'must differ in above')
      .describe('Rates of long calls. They apply to all tokens of the call.')
      .optional(),
  })
  .meta({ id: 'PriceInput', description: 'What a model costs from a moment on.', examples: [examples.priceInput] })
export type PriceInput = z.output<typeof PriceInput>

const RateText = z.string().regex(/^\d+(\.\d{1,9})?$/)
const shownRates = {
  input: RateText,
  output: RateText,
  cacheRead: RateText,
  cacheWrite: RateText,
  cacheWrite1h: RateText,
  reasoning: RateText,
  request: RateText,
}
type ShownRates = Record<keyof typeof shownRates, string>

/** A price as the API shows it. */
export const Price = z
  .object({
    id: z.guid().describe('Absent: it is of the catalogue.').optional(),
    model: z.string(),
    catalogue: z.string().describe('The catalogue it comes from; absent: it is your own.').optional(),
    effectiveFrom: Instant.describe('From when it applies; absent: from the beginning.').optional(),
    ...shownRates,
    tiers: z.array(z.object({ above: z.int(), ...shownRates })).optional(),
    createdAt: Instant.optional(),
    inForce: z.boolean().describe('With `model`: whether it is the price of the model now.').optional(),
  })
  .meta({
    id: 'Price',
    description: 'What a model costs from a moment on. Rates are US dollars per million tokens, `request` per call.',
    examples: [examples.price],
  })
export type Price = z.infer<typeof Price>

/** The rates as they are stored: nano-dollars, and nothing left out. */
export function toRates({ tiers, ...base }: PriceInput): Rates {
  return {
    ...withDefaults(base),
    ...(tiers && tiers.length > 0 && { tiers: tiers.map((tier) => ({ above: tier.above, ...withDefaults(tier) })) }),
  }
}

function withDefaults({ request = 0n, ...given }: RateFields): TierRates {
  const of = (name: RateName): bigint => given[name] ?? of(RATES[name].otherwise!)
  const rates = Object.fromEntries(Object.keys(RATES).map((name) => [name, Number(of(name as RateName))]))
  return { ...(rates as Record<RateName, number>), request: Number(request) }
}

/** The rates as the API shows them. */
export const showRates = ({ tiers, ...base }: Rates): ShownRates & Pick<Price, 'tiers'> => ({
  ...inDollars(base),
  ...(tiers && { tiers: tiers.map((tier) => ({ above: tier.above, ...inDollars(tier) })) }),
})

const inDollars = (rates: TierRates): ShownRates =>
  Object.fromEntries(
    Object.keys(shownRates).map((name) => [name, formatDollars(BigInt(rates[name as keyof TierRates]))]),
  ) as ShownRates
