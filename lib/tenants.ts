import { LRUCache } from 'lru-cache'
import { type Database, query } from './database.ts'
import { asUuid } from './event.ts'
import { Problem } from './problem.ts'
import { loadSql } from './sql.ts'

const tenantFindSql = loadSql('queries/tenant_find')
const tenantGetSql = loadSql('queries/tenant_get')

/** After this long a known tenant is looked up again, in the background. */
const FRESH_MS = 5_000
/** The cache takes its memory at once, 3 MB for 100,000. */
const MAX_TENANTS = 50_000

/** Whether checks and reservations are allowed while PostgreSQL is away; default: checks are, reservations are not. */
export const FAIL_MODES = ['default', 'open', 'closed'] as const
export type FailMode = (typeof FAIL_MODES)[number]

interface Entry {
  id: string
  failMode: FailMode
  checkedAt: number
}

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
}

/** Finds tenants by name or id, from memory when it can. */
export interface TenantDirectory {
  /** The tenant's id when it is in memory: the fast path, without a promise. */
  known(ref: string): string | undefined
  /** The ids of those that exist, by the name or id asked for. One query for all that are not in memory. */
  find(refs: string[]): Promise<Map<string, string>>
  /** How the tenant wants to be treated while PostgreSQL is away, as it was last seen. */
  failMode(ref: string): FailMode
}

/**
 * Opens the directory of one process. A known tenant stays usable while PostgreSQL is away: events keep their way
 * into the stream. What has changed meanwhile is noticed within seconds of its next use.
 */
export function openTenants(database: Database, { clock = Date.now }: { clock?: () => number } = {}): TenantDirectory {
  const cache = new LRUCache<string, Entry>({ max: MAX_TENANTS })
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
    for (const [ref, { id, fail_mode: failMode }] of found) cache.set(ref, { id, failMode, checkedAt: clock() })
    return new Map([...found].map(([ref, { id }]) => [ref, id]))
  }

  /** The tenants that exist, by the name or id asked for. */
  async function lookUp(refs: string[]): Promise<Map<string, FoundRow>> {
    const ids = refs.map(asUuid).filter((id) => id !== null)
    const rows = await query<FoundRow>(database, tenantFindSql, [refs, ids])
    const byName = new Map(rows.map((row) => [row.name, row]))
    const byId = new Map(rows.map((row) => [row.id, row]))
    const found = new Map<string, FoundRow>()
    for (const ref of refs) {
      const row = byName.get(ref) ?? byId.get(asUuid(ref) ?? '')
      if (row) found.set(ref, row)
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

  return { known, find, failMode: (ref) => cache.peek(ref)?.failMode ?? 'default' }
}

/** The problem of a tenant that there is not. */
export const noTenant = (): Problem =>
  new Problem('tenant_not_found', {
    detail: 'tenant does not exist',
    errors: [{ field: 'tenant', detail: 'does not exist' }],
  })

/** The tenant of this name or id, as it is now. @throws Problem tenant_not_found */
export async function getTenant(database: Database, ref: string): Promise<TenantRow> {
  const [tenant] = await query<TenantRow>(database, tenantGetSql, [ref, asUuid(ref)])
  if (tenant) return tenant
  throw noTenant()
}
