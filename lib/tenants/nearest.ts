import { type Caller, hasScope } from '../auth/caller.ts'
import type { RateLimits } from '../auth/rate_limits.ts'
import { asUuid } from '../schema.ts'
import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { loadSql } from '../store/sql.ts'
import { closest } from '../words.ts'
import { UnknownTenant } from './unknown_tenant.ts'

/** Who has mistyped a name waits no longer for a hint. */
const WITHIN_MS = 300
/** Of many names, so many get a hint. */
const MOST_NAMES = 3

interface Needs {
  database: Database
  limits: RateLimits
}

interface NearRow {
  wanted: string
  name: string
}

/** The error, and if it is that there is no such tenant, with the name that its caller may have meant. */
export async function withNearest(ctx: Needs, caller: Caller, error: unknown): Promise<unknown> {
  if (!(error instanceof UnknownTenant)) return error
  const nearest = (await findNearest(ctx, caller, [error.ref])).get(error.ref)
  return nearest === undefined ? error : new UnknownTenant(error.ref, nearest)
}

/**
 * Names of tenants, by the names of none that are close to them. For callers who may read all tenants, of the first few
 * names, and only so often: others learn no names, and mistakes cost nobody else. What goes wrong here is no matter: it
 * is a hint.
 */
export async function findNearest(ctx: Needs, caller: Caller, refs: string[]): Promise<Map<string, string>> {
  const names = [...new Set(refs.filter((ref) => asUuid(ref) === null))].slice(0, MOST_NAMES)
  if (names.length === 0 || caller.tenantId !== undefined || !hasScope(caller, 'read')) return new Map()
  try {
    await ctx.limits.take('hints', caller.keyId, 1)
    const rows = await query<NearRow>(ctx.database, loadSql('queries/tenant_near'), [names], WITHIN_MS)
    const found = new Map<string, string>()
    for (const name of names) {
      const beside = rows.filter(({ wanted }) => wanted === name).map((row) => row.name)
      const near = closest(name, beside)
      if (near !== undefined) found.set(name, near)
    }
    return found
  } catch {
    return new Map()
  }
}
