import { readFile, writeFile } from 'node:fs/promises'
import { type MatchLogic, type ModelPrice, findProvider } from '@pydantic/genai-prices'
import type { CatalogueFile, CatalogueModel, Rates, TierRates } from '../lib/prices/catalogue.ts'
import { parseDollars } from '../lib/prices/money.ts'

/**
 * Who makes models first, then who resells them: where a model's name says no provider, the first that knows it is
 * taken. Bedrock (aws) comes early: its names begin with the maker's, and Google's rules match those too.
 */
const PROVIDERS =
  'openai anthropic aws google mistral cohere deepseek x-ai moonshotai zai minimax perplexity voyageai azure groq ' +
  'together fireworks cerebras novita openrouter'

/** How a model's names are recognised, all in lower case, as the package does. */
function toMatch(match: MatchLogic): CatalogueModel['match'] {
  const parts = 'or' in match ? match.or : [match]
  const texts = (key: string) =>
    parts.flatMap((part) => (key in part ? [(part as Record<string, string>)[key]!.toLowerCase()] : []))
  const others = parts.filter((part) => !('equals' in part || 'starts_with' in part || 'contains' in part))
  const found = {
    names: texts('equals'),
    starts: texts('starts_with'),
    contains: texts('contains'),
    pattern: others.map(toRegExp).join('|'),
  }
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value.length > 0))
}

function toRegExp(match: MatchLogic): string {
  if ('or' in match) return `(?:${match.or.map(toRegExp).join('|')})`
  if ('and' in match) return match.and.map((part) => `(?=.*${toRegExp(part)})`).join('')
  if ('equals' in match) return `^${escape(match.equals)}$`
  if ('starts_with' in match) return `^${escape(match.starts_with)}`
  if ('ends_with' in match) return `${escape(match.ends_with)}$`
  return 'contains' in match ? escape(match.contains) : `(?:${match.regex})`
}
const escape = (text: string): string => text.toLowerCase().replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&')

/** Nano-dollars for a price in dollars. */
function nanos(dollars: number): number {
  const amount = parseDollars(dollars)
  if (amount === undefined) throw new Error(`${dollars} is no price`)
  return Number(amount)
}

/** The rates below every tier, or above one; undefined: it is not a price of tokens. */
function toRates(price: ModelPrice, above: number): TierRates | undefined {
  const at = (key: string): number | undefined => {
    const value = price[key]
    if (!(typeof value === 'object')) return value
    return value.tiers.reduce((rate, tier) => (tier.start <= above ? tier.price : rate), value.base)
  }
  const input = at('input_mtok')
  const output = at('output_mtok')
  if (input === undefined && output === undefined) return undefined
  const write = at('cache_write_mtok') ?? input ?? 0
  return {
    input: nanos(input ?? 0),
    cacheRead: nanos(at('cache_read_mtok') ?? input ?? 0),
    cacheWrite: nanos(write),
    cacheWrite1h: nanos(at('cache_write_1h_mtok') ?? write),
    output: nanos(output ?? 0),
    reasoning: nanos(at('output_reasoning_mtok') ?? output ?? 0),
    request: nanos((at('requests_kcount') ?? 0) / 1000),
  }
}

function toPrice(price: ModelPrice): Rates | undefined {
  const base = toRates(price, -1)
  if (!base) return undefined
  const starts = Object.values(price).flatMap((value) =>
    typeof value === 'object' ? value.tiers.map(({ start }) => start) : [],
  )
  const tiers = [...new Set(starts)].toSorted((a, b) => a - b).map((above) => ({ above, ...toRates(price, above)! }))
  return { ...base, ...(tiers.length > 0 && { tiers }) }
}

const skipped = { timeOfDay: 0, notTokens: 0 }
const models: CatalogueModel[] = []
for (const id of PROVIDERS.split(' ')) {
  const provider = findProvider({ providerId: id })
  if (provider?.id !== id) throw new Error(`the package has no provider ${id}`)
  for (const model of provider.models) {
    const prices: CatalogueModel['prices'] = []
    for (const { constraint, prices: price } of Array.isArray(model.prices)
      ? model.prices
      : [{ prices: model.prices, constraint: undefined }]) {
      const rates = toPrice(price)
      if (!rates) skipped.notTokens++
      else if (constraint && constraint.type !== 'start_date') skipped.timeOfDay++
      else prices.push({ ...(constraint && { from: `${constraint.start_date}T00:00:00Z` }), rates })
    }
    if (prices.length > 0) models.push({ provider: id, model: model.id, match: toMatch(model.match), prices })
  }
}
const folder = new URL('../node_modules/@pydantic/genai-prices/', import.meta.url)
const packageFile = JSON.parse(await readFile(new URL('package.json', folder), 'utf8')) as Record<string, string>
const file: CatalogueFile = {
  source: `${packageFile.name} ${packageFile.version}`,
  url: 'https://github.com/pydantic/genai-prices',
  license: packageFile.license!,
  date: new Date().toISOString().slice(0, 10),
  skipped,
  models: [],
}
const head = JSON.stringify(file, null, 2).replace(/\[\]\n\}$/, '[')
const lines = models.map((model) => `    ${JSON.stringify(model)}`).join(',\n')
await writeFile(new URL('../lib/prices/catalogue.json', import.meta.url), `${head}\n${lines}\n  ]\n}\n`)
process.stdout.write(
  `${models.length} models; left out: ${skipped.timeOfDay} prices by time of day, ${skipped.notTokens} not of tokens\n`,
)
