import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { asUuid } from '../schema.ts'
import { LOOKUP_MS, openLookup } from '../store/lookup.ts'
import { loadSql } from '../store/sql.ts'
import { UnknownTenant } from './unknown_tenant.ts'

/** How long a name is believed, as what a key may do: every process follows a change within a second. */
const FRESH_MS = 900
/** A tenant in use this long is looked up again in the background: its events never wait for a look-up. */
const REFRESH_MS = 400
/** The cache takes its memory at once, 3 MB for 100,000. */
const MAX_TENANTS = 50_000

/** Whether checks and reservations are allowed while PostgreSQL is away; default: checks are, reservations are not. */
export const FAIL_MODES = ['default', 'open', 'closed'] as const
export const FailMode = z.enum(FAIL_MODES).meta({
  id: 'FailMode',
  description:
    'Whether checks and reservations are allowed while PostgreSQL is away; default: checks are, reservations are not.',
})
export type FailMode = z.infer<typeof FailMode>

type FoundRow = Pick<TenantRow, 'id' | 'name' | 'fail_mode'>

/** A tenant as it is stored. */
export interface TenantRow {
  id: string
  name: string
  monthly_quota: number
  monthly_hard: boolean
  billing_day: number
  timezone: string
  thresholds: number[]
  fail_mode: FailMode
  created_at: Date
  /** The billing day and time zone that are on their way, and how far: null when there is no change under way. */
  rebuild?: { billingDay: number; timezone: string; percent: number } | null
}

/** Finds tenants by name or id, from memory when it can. */
export interface TenantCache {
  /** The tenant's id when it is in memory and fresh: the fast path, without a promise. */
  known(ref: string): string | undefined
  /** The ids of those that exist, by the name or id asked for. One query for up to 1,000 that are not in memory. */
  find(refs: string[]): Promise<Map<string, string>>
  /** How the tenant of this id wants to be treated while PostgreSQL is away, as it was last seen. */
  failMode(tenantId: string): FailMode
}

/**
 * Opens the directory of one process. While PostgreSQL is away a known tenant stays usable: events keep their way into
 * the stream. While it answers nothing old is believed: a name may have moved to another tenant.
 */
export function openTenantCache(database: Database): TenantCache {
  const lookup = openLookup<string>({
    store: database,
    freshMs: FRESH_MS,
    refreshMs: REFRESH_MS,
    most: MAX_TENANTS,
    load,
  })
  const failModes = new LRUCache<string, FailMode>({ max: MAX_TENANTS })

  async function load(refs: string[]): Promise<Map<string, string>> {
    const { names, ids } = namesAndIds(refs)
    const rows = await query<FoundRow>(database, loadSql('queries/tenant_find'), [names, ids], LOOKUP_MS)
    for (const { id, fail_mode: failMode } of rows) failModes.set(id, failMode)
    return new Map([...byRef(refs, rows)].map(([ref, { id }]) => [ref, id]))
  }

  async function find(refs: string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    const asked: Promise<unknown>[] = []
    for (const ref of new Set(refs)) {
      const id = lookup.known(ref)
      if (id !== undefined) found.set(ref, id)
      else asked.push(lookup.findOrLast(ref).then((late) => late !== undefined && found.set(ref, late)))
    }
    await Promise.all(asked)
    return found
  }

  return { known: (ref) => lookup.known(ref), find, failMode: (tenantId) => failModes.get(tenantId) ?? 'default' }
}

/** Names and ids of tenants apart. What has the form of an id is one, whatever a tenant is called. */
export function namesAndIds(refs: string[]): { names: string[]; ids: string[] } {
  const ids = refs.map(asUuid)
  return { names: refs.filter((_, i) => ids[i] === null), ids: ids.filter((id) => id !== null) }
}

/** The tenants that were found, by the names and ids that they were asked for by. */
export function byRef<Row extends { id: string; name: string }>(refs: string[], rows: Row[]): Map<string, Row> {
  const byName = new Map(rows.map((row) => [row.name, row]))
  const byId = new Map(rows.map((row) => [row.id, row]))
  const found = new Map<string, Row>()
  for (const ref of refs) {
    const id = asUuid(ref)
    const row = id === null ? byName.get(ref) : byId.get(id)
    if (row) found.set(ref, row)
  }
  return found
}

/** The tenant of this name or id, as it is now. @throws Problem tenant_not_found */
export async function getTenant(database: Database, ref: string): Promise<TenantRow> {
  const id = asUuid(ref)
  const [tenant] = await query<TenantRow>(database, loadSql('queries/tenant_get'), [id === null ? ref : null, id])
  if (tenant) return tenant
  throw new UnknownTenant(ref)
}
