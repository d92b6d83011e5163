import type { Caller } from './caller.ts'
import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import type { Scope } from './scope.ts'
import { hashKey, isKey } from './key.ts'
import { isSession } from './session.ts'
import { LOOKUP_MS, openLookup } from '../store/lookup.ts'
import { loadSql } from '../store/sql.ts'

/** How long a verified key is used: every process notices a revocation within a second, with or without Valkey. */
const FRESH_MS = 900
/** A key in use this long is verified again in the background, so that a busy key never waits for a look-up. */
const REFRESH_MS = 400
const MAX_KEYS = 10_000

/** Why a key is refused. */
export type KeyFault = 'mistyped' | 'unknown' | 'revoked' | 'expired'

/** Verifies keys, and the sessions that stand for them, from memory when it can. */
export interface KeyCache {
  /** The caller of a key verified a moment ago: the fast path, without a promise. */
  known(key: string): Caller | undefined
  /** Looks the key up. @throws when the database does not answer and the key is not known */
  find(key: string): Promise<Caller | KeyFault>
}

interface KeyCheckRow {
  hash: string
  id: string
  name: string
  scopes: Scope[]
  tenant_id: string | null
  tenant_name: string | null
  user_id: string | null
  expires_at: Date | null
  revoked_at: Date | null
}

/** A key that there is. */
interface FoundKey {
  caller: Caller
  expiresAt: number
  isRevoked: boolean
}

/**
 * Opens the key check of one process. While PostgreSQL does not answer, keys that were valid stay valid: nothing can be
 * revoked then either, and events keep their way into the stream.
 */
export function openKeyCache(database: Database, clock: () => number = Date.now): KeyCache {
  const lookup = openLookup({ store: database, freshMs: FRESH_MS, refreshMs: REFRESH_MS, most: MAX_KEYS, load })

  async function load(keys: string[]): Promise<Map<string, FoundKey>> {
    const byHash = new Map(keys.map((key) => [hashKey(key), key]))
    const rows = await query<KeyCheckRow>(database, loadSql('queries/key_check'), [[...byHash.keys()]], LOOKUP_MS)
    return new Map(rows.map((row) => [byHash.get(row.hash)!, toFoundKey(row)]))
  }

  function known(key: string): Caller | undefined {
    const entry = lookup.known(key)
    return entry && faultOf(entry) === undefined ? entry.caller : undefined
  }

  async function find(key: string): Promise<Caller | KeyFault> {
    if (!isKey(key) && !isSession(key)) return 'mistyped'
    const entry = await lookup.findOrLast(key)
    return entry ? (faultOf(entry) ?? entry.caller) : 'unknown'
  }

  const faultOf = ({ isRevoked, expiresAt }: FoundKey): KeyFault | undefined =>
    isRevoked ? 'revoked' : clock() >= expiresAt ? 'expired' : undefined

  return { known, find }
}

function toFoundKey(row: KeyCheckRow): FoundKey {
  const { id: keyId, name: keyName, scopes, tenant_id: tenantId, tenant_name: tenantName, user_id: user } = row
  const expiresAt = row.expires_at?.getTime()
  const caller = {
    keyId,
    keyName,
    scopes,
    ...(tenantId !== null && { tenantId, tenantName: tenantName ?? '' }),
    ...(user !== null && { user }),
    ...(expiresAt !== undefined && { expiresAt }),
  }
  return { caller, expiresAt: expiresAt ?? Infinity, isRevoked: row.revoked_at !== null }
}
