import { LRUCache } from 'lru-cache'

/** What a call costs: nano-dollars per million tokens of each pool, and nano-dollars per call. */
export interface TierRates {
  input: number
  cacheRead: number
  cacheWrite: number
  /** For what is kept an hour. */
  cacheWrite1h: number
  output: number
  reasoning: number
  request: number
}

/** With more input than `above` (cached or not), the rates of the highest such tier apply to the whole call. */
export type Rates = TierRates & { tiers?: (TierRates & { above: number })[] }

/** A model of the catalogue. */
export interface CatalogueModel {
  provider: string
  model: string
  /** Which names are its, in lower case: by any of these. `pattern` is a regular expression. */
  match: { names?: string[]; starts?: string[]; contains?: string[]; pattern?: string }
  /** In the order of time; without `from`: from the beginning. */
  prices: { from?: string; rates: Rates }[]
}

/** `catalogue.json`, as `npm run prices` writes it. */
export interface CatalogueFile {
  source: string
  url: string
  license: string
  /** When it was made. */
  date: string
  /** Prices that are left out. */
  skipped: Record<string, number>
  models: CatalogueModel[]
}

/** Names that are remembered, found or not: a client may send any. */
const NAMES = 10_000

/** Models in their order, by what finds them. Rules are asked only of models that come before the one of the name. */
interface Index {
  models: CatalogueModel[]
  places: Map<string, number>
  rules: { place: number; matches: (name: string) => boolean }[]
}

let loaded: Promise<CatalogueFile> | undefined
let indexes: Map<string, Index> | undefined
const known = new LRUCache<string, { model?: CatalogueModel }>({ max: NAMES })

/** The catalogue that came with this release; it is read when it is first asked for. */
export const loadCatalogue = (): Promise<CatalogueFile> =>
  (loaded ??= import('./catalogue.json', { with: { type: 'json' } }).then((file) => file.default as CatalogueFile))

/**
 * The catalogue's model of a name. `provider/name` is looked for at that provider. Any other name is the model of the
 * first provider that knows it: who makes the model before who resells it. Then the same without what is before its
 * last slash.
 */
export async function findModel(name: string): Promise<CatalogueModel | undefined> {
  const cached = known.get(name)
  if (cached) return cached.model
  indexes ??= makeIndexes((await loadCatalogue()).models)
  const lower = name.toLowerCase()
  const slash = lower.indexOf('/')
  const all = indexes.get('')!
  const own = slash > 0 ? indexes.get(lower.slice(0, slash)) : undefined
  const found =
    (own && first(own, lower.slice(slash + 1))) ??
    first(all, lower) ??
    (slash < 0 ? undefined : first(all, lower.slice(lower.lastIndexOf('/') + 1)))
  known.set(name, found ? { model: found } : {})
  return found
}

/** A price of the catalogue, as priced_details reads it. `name` is the catalogue's, `model` the one asked for. */
export interface CataloguePrice {
  model: string
  catalogue: string
  name: string
  effective_from: string | undefined
  rates: Rates
}

/** The catalogue's prices of models by these names. */
export async function cataloguePrices(names: Iterable<string>): Promise<CataloguePrice[]> {
  const prices: CataloguePrice[] = []
  for (const model of names) {
    const found = await findModel(model)
    if (!found) continue
    const { source } = await loadCatalogue()
    const name = `${found.provider}/${found.model}`
    for (const { from, rates } of found.prices)
      prices.push({ model, catalogue: source, name, effective_from: from, rates })
  }
  return prices
}

function first({ models, places, rules }: Index, name: string): CatalogueModel | undefined {
  const named = places.get(name) ?? models.length
  const place = rules.find((rule) => rule.place >= named || rule.matches(name))?.place ?? named
  return models[Math.min(place, named)]
}

/** All models under '', and each provider's under its id. */
function makeIndexes(models: CatalogueModel[]): Map<string, Index> {
  const groups = new Map([['', models]])
  for (const model of models) {
    const group = groups.get(model.provider)
    if (group) group.push(model)
    else groups.set(model.provider, [model])
  }
  return new Map([...groups].map(([provider, group]) => [provider, makeIndex(group)]))
}

function makeIndex(models: CatalogueModel[]): Index {
  const places = new Map<string, number>()
  const rules: Index['rules'] = []
  for (const [place, { match }] of models.entries()) {
    const { names = [], starts = [], contains = [] } = match
    for (const name of names) if (!places.has(name)) places.set(name, place)
    const pattern = match.pattern === undefined ? undefined : new RegExp(match.pattern)
    if (!pattern && starts.length + contains.length === 0) continue
    const matches = (name: string) =>
      starts.some((text) => name.startsWith(text)) ||
      contains.some((text) => name.includes(text)) ||
      pattern?.test(name) === true
    rules.push({ place, matches })
  }
  return { models, places, rules }
}
