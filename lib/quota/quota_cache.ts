import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { LOOKUP_MS, type Lookup, openLookup } from '../store/lookup.ts'
import type { QuotaRow } from './quota.ts'
import { loadSql } from '../store/sql.ts'

/** What a check says is at most a second old, with what the look-up itself takes. */
const FRESH_MS = 900
/** Quotas in use are read again in the background, so that a busy tenant's checks wait for no look-up. */
const REFRESH_MS = 400
const MAX_ENTRIES = 10_000
const ID_LENGTH = 36

/**
 * The quotas of tenants with their counters, as they were a moment ago: by the tenant's id, or by its id and a user,
 * with the counters of that user.
 */
export type QuotaCache = Lookup<QuotaRow[]>

/** Under which name the cache has the quotas of a tenant, or of a tenant and a user. */
export const quotaKey = (tenantId: string, user: string | undefined): string => tenantId + (user ?? '')

/** Opens the directory of one process. */
export const openQuotaCache = (database: Database, clock: () => number = Date.now): QuotaCache =>
  openLookup({
    store: database,
    freshMs: FRESH_MS,
    refreshMs: REFRESH_MS,
    most: MAX_ENTRIES,
    async load(keys) {
      const tenants = keys.map((key) => key.slice(0, ID_LENGTH))
      const users = keys.map((key) => key.slice(ID_LENGTH) || null)
      const args = [tenants, users, new Date(clock()).toISOString()]
      const rows = await query<QuotaRow & { place: number }>(database, loadSql('queries/quota_check'), args, LOOKUP_MS)
      const found = new Map<string, QuotaRow[]>()
      for (const { place, ...row } of rows) {
        const key = keys[place - 1]!
        const quotas = found.get(key)
        if (quotas) quotas.push(row)
        else found.set(key, [row])
      }
      return found
    },
  })
