import { type Caller, hasScope } from '../auth/caller.ts'
import type { RateLimits } from '../auth/rate_limits.ts'
import { asUuid } from '../schema.ts'
import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { loadSql } from '../store/sql.ts'
import { UnknownTenant } from './unknown_tenant.ts'

/** Who has mistyped a name waits no longer for a hint. */
const WITHIN_MS = 300
/** Of many names, so many get a hint. */
const MOST_NAMES = 3
/** Names with more mistakes are not meant, and of a short one, with more than one in three characters. */
const MOST_MISTAKES = 3

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

/**
 * The name that is closest to the one wanted, if any is close: whatever its case, and longer ones that begin with it
 * too.
 */
export function closest(wanted: string, names: string[]): string | undefined {
  const most = Math.min(MOST_MISTAKES, Math.floor(wanted.length / 3))
  const text = wanted.toLowerCase()
  let best: { name: string; mistakes: number } | undefined
  for (const name of names) {
    const other = name.toLowerCase()
    const limit = best ? best.mistakes - 1 : most
    const begins = most > 0 && other.startsWith(text) ? most : Infinity
    const mistakes = Math.min(begins, countMistakes(text, other, limit))
    if (mistakes <= limit) best = { name, mistakes }
  }
  return best?.name
}

/**
 * How many characters must be put in, taken out or replaced to make one text of the other (Levenshtein); Infinity: more
 * than `most`. Only places so near the diagonal can count, so long texts cost little.
 */
function countMistakes(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return Infinity
  let before = Array.from({ length: most + 2 }, (_, j) => (j <= most ? j : Infinity))
  let row: number[] = []
  for (let i = 1; i <= a.length; i++) {
    const [from, to] = [Math.max(1, i - most), Math.min(b.length, i + most)]
    row[from - 1] = i <= most ? i : Infinity
    let least = row[from - 1]!
    for (let j = from; j <= to; j++) {
      const replaced = before[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(replaced, before[j]! + 1, row[j - 1]! + 1)
      least = Math.min(least, row[j]!)
    }
    if (least > most) return Infinity
    row[to + 1] = Infinity
    ;[before, row] = [row, before]
  }
  return before[b.length]!
}
