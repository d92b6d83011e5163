import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { CommandError, Exit } from './_command.ts'

/** Prices as the API takes them, and how many of the file's models have none. */
interface PriceFile {
  prices: ({ model: string } & Record<string, unknown>)[]
  skipped: number
}

const Dollars = z.number().min(0).optional()

/** A file of `flagmeter price list --json`. */
const Own = z.array(z.looseObject({ model: z.string(), input: z.unknown(), output: z.unknown() })).min(1)

/** models.dev's api.json: dollars per million tokens. */
const Cost = z.object({
  input: Dollars,
  output: Dollars,
  cache_read: Dollars,
  cache_write: Dollars,
  reasoning: Dollars,
})
const LongCost = Cost.extend({
  context_over_200k: Cost.optional(),
  tiers: z.array(Cost.extend({ tier: z.object({ size: z.number() }) })).optional(),
})
const ModelsDev = z.record(
  z.string(),
  z.object({ id: z.string(), models: z.record(z.string(), z.object({ cost: LongCost.optional() })) }),
)

/** LiteLLM's model_prices_and_context_window.json: dollars per token. */
const LiteLlm = z
  .record(z.string(), z.looseObject({ litellm_provider: z.string().optional() }))
  .refine((models) => Object.values(models).some((model) => 'input_cost_per_token' in model))

/** Reads the prices of a file. @throws CommandError */
export async function readPrices(file: string, provider: string | undefined): Promise<PriceFile> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw new CommandError(`${file}: ${(error as Error).message}`, Exit.usage)
  }
  const own = Own.safeParse(value)
  if (own.success) return { prices: own.data.map(toOwn), skipped: 0 }
  const dev = ModelsDev.safeParse(value)
  if (dev.success) return ofModelsDev(dev.data, provider)
  const liteLlm = LiteLlm.safeParse(value)
  if (liteLlm.success) return ofLiteLlm(liteLlm.data)
  throw new CommandError(
    `${file}: these are not prices of \`flagmeter price list --json\`, of LiteLLM, or of models.dev`,
    Exit.usage,
  )
}

/** What the server has said of it and does not take. */
const toOwn = ({
  id: _id,
  catalogue: _catalogue,
  createdAt: _made,
  inForce: _now,
  ...price
}: z.output<typeof Own>[0]) => price

function ofModelsDev(providers: z.output<typeof ModelsDev>, provider: string | undefined): PriceFile {
  const found = Object.values(providers).find(({ id }) => id === provider)
  if (!found) {
    const ids = Object.values(providers).map(({ id }) => id)
    const said = provider === undefined ? '--provider is missing' : `--provider: '${provider}' is not in the file`
    throw new CommandError(`${said}; it has ${ids.toSorted().join(', ')}`, Exit.usage)
  }
  return collect(
    Object.entries(found.models).map(([model, { cost }]) => {
      const rates = cost && toRates(cost)
      if (!rates) return undefined
      const over = cost.context_over_200k ? [{ ...cost.context_over_200k, tier: { size: 200_000 } }] : []
      const tiers = (cost.tiers ?? over).flatMap((tier) => {
        const of = toRates(tier)
        return of ? [{ above: tier.tier.size, ...of }] : []
      })
      return { model, ...rates, ...(tiers.length > 0 && { tiers }) }
    }),
  )
}

const toRates = ({ input, output, cache_read, cache_write, reasoning }: z.output<typeof Cost>) =>
  input === undefined || output === undefined
    ? undefined
    : { input, output, cacheRead: cache_read, cacheWrite: cache_write, reasoning }

/** LiteLLM's names of the rates, and ours. */
const NAMES = {
  input_cost_per_token: 'input',
  output_cost_per_token: 'output',
  cache_read_input_token_cost: 'cacheRead',
  cache_creation_input_token_cost: 'cacheWrite',
  cache_creation_input_token_cost_above_1hr: 'cacheWrite1h',
  output_cost_per_reasoning_token: 'reasoning',
}

function ofLiteLlm(models: Record<string, Record<string, unknown>>): PriceFile {
  return collect(
    Object.entries(models)
      .filter(([model]) => model !== 'sample_spec')
      .map(([model, fields]) => {
        const base = perMillion(fields, '')
        if (base.input === undefined || base.output === undefined) return undefined
        const sizes = Object.keys(fields).flatMap(
          (name) => /^input_cost_per_token_above_(\d+)k_tokens$/.exec(name)?.[1] ?? [],
        )
        const tiers = sizes.map((size) => ({
          above: Number(size) * 1000,
          ...base,
          ...perMillion(fields, `_above_${size}k_tokens`),
        }))
        return { model, ...base, ...(tiers.length > 0 && { tiers }) }
      }),
  )
}

/** The rates whose names end with `suffix`. Twelve digits: a price times a million has no more. */
const perMillion = (fields: Record<string, unknown>, suffix: string): Record<string, number> =>
  Object.fromEntries(
    Object.entries(NAMES).flatMap(([theirs, ours]) => {
      const perToken = fields[theirs + suffix]
      return typeof perToken === 'number' ? [[ours, Number((perToken * 1e6).toPrecision(12))]] : []
    }),
  )

function collect(prices: (PriceFile['prices'][number] | undefined)[]): PriceFile {
  const known = prices.filter((price) => price !== undefined)
  return { prices: known, skipped: prices.length - known.length }
}
