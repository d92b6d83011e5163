import { Problem, invalidInput } from '../problem.ts'
import type { Database } from '../store/connection.ts'
import { query, queryAgain } from '../store/database.ts'
import { loadSql } from '../store/sql.ts'
import { cataloguePrices } from './catalogue.ts'

/** Events looked at per step: 100 ms on a slow disk. */
const LOOKED_AT = 20_000
/** Events per transaction. Their tenant's other events wait for it: 50 ms. */
const BATCH = 1_000

/** Which events are priced again: those that happened in a range, of one tenant or of all, of one model or of all. */
export interface RepriceRange {
  from: string
  to: string
  tenantId?: string | undefined
  model?: string | undefined
}

/** What a step has done, and where the next one begins; undefined: that was all. */
export interface Repriced {
  examined: number
  repriced: number
  next?: string
}

interface FoundRow {
  looked: number
  last_tenant: string | null
  last_id: string | null
  tenant_id: string | null
  ids: string[]
  models: string[]
}

/**
 * Prices the next events of a range again, in the order of tenants and ids. Every transaction moves the counters along
 * with its events, so the books are right whenever it stops. Doing a step again changes nothing.
 */
export async function repriceStep(
  database: Database,
  { from, to, tenantId, model }: RepriceRange,
  after: string | undefined,
): Promise<Repriced> {
  const [afterTenant = null, afterEvent = null] = after === undefined ? [] : parseCursor(after)
  const args = [tenantId ?? null, from, to, model ?? null, afterTenant, afterEvent, LOOKED_AT]
  const found = await query<FoundRow>(database, loadSql('queries/reprice_find'), args)
  let repriced = 0
  for (const { tenant_id, ids, models } of found) {
    if (tenant_id === null) continue
    const prices = JSON.stringify(await cataloguePrices(models))
    for (let at = 0; at < ids.length; at += BATCH) {
      const batch = [tenant_id, ids.slice(at, at + BATCH), prices]
      const [row] = await queryAgain<{ repriced: number }>(database, loadSql('queries/reprice_events'), batch)
      repriced += row!.repriced
    }
  }
  const { looked, last_tenant, last_id } = found[0]!
  return {
    examined: looked,
    repriced,
    ...(looked === LOOKED_AT && { next: Buffer.from(`${last_tenant} ${last_id}`).toString('base64url') }),
  }
}

const CURSOR = /^([0-9a-f-]{36}) ([0-9a-f-]{36})$/

function parseCursor(after: string): [tenant: string, event: string] {
  const [, tenant, event] = CURSOR.exec(Buffer.from(after, 'base64url').toString()) ?? []
  if (tenant !== undefined && event !== undefined) return [tenant, event]
  throw new Problem('invalid_request', invalidInput([{ field: 'after', detail: 'must be the next of a step before' }]))
}
