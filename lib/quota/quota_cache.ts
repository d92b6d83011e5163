import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { LOOKUP_MS, type Lookup, openLookup } from '../store/lookup.ts'
import { type QuotaRow, type QuotaUsage, toQuotaUsage } from './quota.ts'
import { loadSql } from '../store/sql.ts'

/** What a check says is at most a second old, with what the look-up itself takes. */
const FRESH_MS = 900
/** Quotas in use are read again in the background, so that a busy tenant's checks wait for no look-up. */
const REFRESH_MS = 400
const MAX_TENANTS = 10_000

/** The quotas of tenants with their counters, by the tenant's id, as they were a moment ago. */
export type QuotaCache = Lookup<QuotaUsage[]>

/** Opens the directory of one process. */
export const openQuotaCache = (database: Database, clock: () => number = Date.now): QuotaCache =>
  openLookup({
    store: database,
    freshMs: FRESH_MS,
    refreshMs: REFRESH_MS,
    most: MAX_TENANTS,
    async load(tenantIds) {
      const args = [tenantIds, new Date(clock()).toISOString()]
      const rows = await query<QuotaRow & { tenant_id: string }>(
        database,
        loadSql('queries/quota_check'),
        args,
        LOOKUP_MS,
      )
      const found = new Map<string, QuotaUsage[]>()
      for (const row of rows) {
        const quotas = found.get(row.tenant_id)
        if (quotas) quotas.push(toQuotaUsage(row))
        else found.set(row.tenant_id, [toQuotaUsage(row)])
      }
      return found
    },
  })
