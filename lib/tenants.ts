import { LRUCache } from 'lru-cache'
import { type Database, change, query } from './database.ts'
import { asUuid } from './event.ts'
import { Problem } from './problem.ts'
import { loadSql } from './sql.ts'

const tenantFindSql = loadSql('queries/tenant_find')
const tenantCreateSql = loadSql('queries/tenant_create')
const tenantGetSql = loadSql('queries/tenant_get')

/** After this long a known tenant is looked up again, in the background. */
const FRESH_MS = 5_000

interface Entry {
  id: string
  checkedAt: number
}

/** A tenant as it is stored. */
export interface TenantRow {
  id: string
  name: string
  monthly_quota: number
  billing_day: number
  timezone: string
  thresholds: number[]
  created_at: Date
}

/** Finds tenants by name or id, from memory when it can. */
export interface TenantDirectory {
  /** The tenant's id when it is in memory: the fast path, without a promise. */
  known(ref: string): string | undefined
  /** The ids of those that exist, by the name or id asked for. One query for all that are not in memory. */
  find(refs: string[]): Promise<Map<string, string>>
}

/**
 * Opens the directory of one process. A known tenant stays usable while PostgreSQL is away: events keep their way
 * into the stream. What has changed meanwhile is noticed within seconds of its next use.
 */
export function openTenants(
  database: Database,
  { autoCreate = false, clock = Date.now }: { autoCreate?: boolean; clock?: () => number } = {},
): TenantDirectory {
  const cache = new LRUCache<string, Entry>({ max: 100_000 })
  const refreshing = new Set<string>()

  function known(ref: string): string | undefined {
    const entry = cache.get(ref)
    if (entry && clock() - entry.checkedAt > FRESH_MS) refresh(ref)
    return entry?.id
  }

  function refresh(ref: string): void {
    if (refreshing.has(ref)) return
    refreshing.add(ref)
    load([ref])
      .then((found) => found.has(ref) || cache.delete(ref))
      .catch(() => {}) // PostgreSQL is away: what is known stays, the next use asks again
      .finally(() => refreshing.delete(ref))
  }

  async function load(refs: string[]): Promise<Map<string, string>> {
    const found = await lookUp(refs)
    if (autoCreate) {
      const missing = refs.filter((ref) => !found.has(ref) && asUuid(ref) === null)
      for (const name of missing) await change(database, 'auto-create', tenantCreateSql, [name, null, null, null, null])
      if (missing.length > 0) for (const [ref, id] of await lookUp(missing)) found.set(ref, id)
    }
    for (const [ref, id] of found) cache.set(ref, { id, checkedAt: clock() })
    return found
  }

  async function lookUp(refs: string[]): Promise<Map<string, string>> {
    const ids = refs.map(asUuid).filter((id) => id !== null)
    const rows = await query<{ id: string; name: string }>(database, tenantFindSql, [refs, ids])
    const byName = new Map(rows.map((row) => [row.name, row.id]))
    const byId = new Set(rows.map((row) => row.id))
    const found = new Map<string, string>()
    for (const ref of refs) {
      const id = byName.get(ref) ?? asUuid(ref)
      if (id !== null && (byName.has(ref) || byId.has(id))) found.set(ref, id)
    }
    return found
  }

  async function find(refs: string[]): Promise<Map<string, string>> {
    const found = new Map<string, string>()
    const missing = new Set<string>()
    for (const ref of refs) {
      const id = known(ref)
      if (id === undefined) missing.add(ref)
      else found.set(ref, id)
    }
    if (missing.size > 0) for (const [ref, id] of await load([...missing])) found.set(ref, id)
    return found
  }

  return { known, find }
}

/** The tenant of this name or id, as it is now. @throws Problem tenant_not_found */
export async function getTenant(database: Database, ref: string): Promise<TenantRow> {
  const [tenant] = await query<TenantRow>(database, tenantGetSql, [ref, asUuid(ref)])
  if (tenant) return tenant
  const detail = 'does not exist'
  throw new Problem('tenant_not_found', { detail: `tenant ${detail}`, errors: [{ field: 'tenant', detail }] })
}
