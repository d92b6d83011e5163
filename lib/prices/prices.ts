import { Problem } from '../problem.ts'
import { asUuid, noSuch } from '../schema.ts'
import type { Database } from '../store/connection.ts'
import { change } from '../store/database.ts'
import { type Listed, list } from '../store/document.ts'
import { loadSql } from '../store/sql.ts'
import { type Rates, cataloguePrices, loadCatalogue } from './catalogue.ts'
import { type Price, type PriceInput, showRates, toRates } from './price.ts'

interface PriceRow {
  id: string
  model: string
  effective_from: Date
  rates: Rates
  created_at: Date
}

const toPrice = ({ id, model, effective_from, rates, created_at }: PriceRow): Price => ({
  id,
  model,
  effectiveFrom: effective_from.toISOString(),
  ...showRates(rates),
  createdAt: created_at.toISOString(),
})

/** A page of the operator's own prices, the newest first. */
export const listPrices = (database: Database, before: number | null, limit: number): Promise<Listed<Price>> =>
  list(database, 'price_list', [null, null, before, limit], toPrice)

/** No model has more: they are an operator's own. */
const MOST_OF_MODEL = 1_000

/**
 * Every price that a model may have, in the order in which they are looked at: the first that is in force at the time
 * of a call is its price (priced_details). The one of now is marked.
 */
export async function pricesOf(database: Database, model: string, now: number): Promise<Price[]> {
  const { items: own } = await list<Price>(database, 'price_list', [null, model, null, MOST_OF_MODEL], toPrice)
  const catalogue = (await cataloguePrices([model])).map(
    ({ catalogue: source, name, effective_from, rates }): Price => ({
      model: name,
      catalogue: source,
      ...(effective_from !== undefined && { effectiveFrom: new Date(effective_from).toISOString() }),
      ...showRates(rates),
    }),
  )
  const all = [...own.toSorted((a, b) => compare(a, b, model)), ...catalogue.toSorted((a, b) => byTime(a, b))]
  const inForce = all.find(({ effectiveFrom }) => effectiveFrom === undefined || Date.parse(effectiveFrom) <= now)
  return all.map((price) => (price === inForce ? { ...price, inForce: true } : price))
}

const compare = (a: Price, b: Price, model: string): number =>
  Number(b.model === model) - Number(a.model === model) || b.model.length - a.model.length || byTime(a, b)
const byTime = (a: Price, b: Price): number => ((a.effectiveFrom ?? '') < (b.effectiveFrom ?? '') ? 1 : -1)

/** Sets prices, and returns them. One of the same model from the same moment is replaced. */
export async function setPrices(
  database: Database,
  actor: string,
  prices: PriceInput[],
  now: number,
): Promise<Price[]> {
  const rows = prices.map((price) => ({
    model: price.model,
    effective_from: price.effectiveFrom ?? new Date(now).toISOString(),
    rates: toRates(price),
  }))
  const made = await change<{ id: string }>(database, actor, loadSql('queries/price_set'), [JSON.stringify(rows)])
  const ids = made.map(({ id }) => id)
  return (await list<Price>(database, 'price_list', [ids, null, null, ids.length], toPrice)).items
}

/** Deletes a price: calls from now on have another, or none. @throws Problem price_not_found */
export async function deletePrice(database: Database, actor: string, ref: string): Promise<Price> {
  const id = asUuid(ref)
  const [found] = id === null ? [] : (await list<Price>(database, 'price_list', [[id], null, null, 1], toPrice)).items
  const [deleted] = found ? await change(database, actor, loadSql('queries/price_delete'), [id]) : []
  if (!found || !deleted) throw new Problem('price_not_found', { detail: noSuch('price', ref, '/prices') })
  return found
}

/** What is said of the catalogue that came with this release. */
export async function describeCatalogue() {
  const { source, url, license, date, models } = await loadCatalogue()
  return { source, url, license, date, models: models.length }
}
