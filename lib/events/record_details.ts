import { cataloguePrices } from '../prices/catalogue.ts'
import type { Event } from './event.ts'

/**
 * What events say beyond their tenant, feature, tokens and times, as `record_events` reads it (event_details), with the
 * catalogue's prices of their models; null: nothing.
 */
export async function toDetails(events: Event[]): Promise<string | null> {
  const details: unknown[] = []
  const models = new Set<string>()
  for (const [i, { detail }] of events.entries()) {
    if (!detail) continue
    const { model, user, pools, cost, dimensions } = detail
    if (model !== undefined && pools && cost === undefined) models.add(model)
    details.push({
      place: i + 1,
      model,
      user_id: user,
      input_tokens: pools?.input,
      cache_read_tokens: pools?.cacheRead,
      cache_write_tokens: pools?.cacheWrite,
      cache_write_1h_tokens: pools && (pools.cacheWrite1h ?? 0),
      output_tokens: pools?.output,
      reasoning_tokens: pools?.reasoning,
      cost_nanos: cost,
      dimensions,
    })
  }
  return details.length === 0 ? null : JSON.stringify({ events: details, prices: await cataloguePrices(models) })
}
