import { LRUCache } from 'lru-cache'
import type { Caller } from './caller.ts'
import { type Database, isUnavailable, query } from './database.ts'
import type { Scope } from './handler.ts'
import { hashKey, isKey } from './key.ts'
import { loadSql } from './sql.ts'

const keyCheckSql = loadSql('queries/key_check')

/** A verified key is used for so long at most: a revocation is felt within a second in every process, with or without Valkey. */
const FRESH_MS = 900
/** In use for so long, it is verified again in the background, so that a busy key waits for no look-up. */
const REFRESH_MS = 400
/** A look-up that takes longer counts as failed. */
const TIMEOUT_MS = 1_000
/** The cache takes its memory at once, 3 MB for 100,000. */
const MAX_KEYS = 10_000

/** Why a key is refused. */
export type KeyFault = 'mistyped' | 'unknown' | 'revoked' | 'expired'

/** Verifies keys, from memory when it can. */
export interface Keys {
  /** The caller of a key verified a moment ago: the fast path, without a promise. */
  known(key: string): Caller | undefined
  /** Whether this key was valid when it was last looked up, however long ago. */
  wasValid(key: string): boolean
  /** Looks the key up. @throws when the database does not answer and the key is not known */
  find(key: string): Promise<Caller | KeyFault>
}

interface KeyRow {
  hash: string
  id: string
  name: string
  scopes: Scope[]
  tenant_id: string | null
  tenant_name: string | null
  expires_at: Date | null
  revoked_at: Date | null
}

interface Entry {
  caller: Caller
  expiresAt: number
  /** On the monotonic clock, from before the look-up. */
  verifiedAt: number
}

/**
 * Opens the key check of one process. One look-up is in flight at a time; keys asked for meanwhile go together in the next.
 * While PostgreSQL does not answer, keys that were valid stay valid: nothing can be revoked then either, and events
 * keep their way into the stream.
 */
export function openKeys(database: Database, clock: () => number = Date.now): Keys {
  const cache = new LRUCache<string, Entry>({ max: MAX_KEYS })
  const waiting = new Map<string, Deferred<Caller | KeyFault>>()
  let looking = false

  function known(key: string): Caller | undefined {
    const entry = cache.get(key)
    if (!entry) return undefined
    const age = performance.now() - entry.verifiedAt
    if (age > FRESH_MS || clock() >= entry.expiresAt) return undefined
    if (age > REFRESH_MS && !waiting.has(key)) find(key).catch(() => {}) // the next use waits, and hears of it
    return entry.caller
  }

  function find(key: string): Promise<Caller | KeyFault> {
    if (!isKey(key)) return Promise.resolve('mistyped')
    const asked = waiting.get(key)
    if (asked) return asked.promise
    const answer = withResolvers<Caller | KeyFault>()
    waiting.set(key, answer)
    if (!looking) {
      looking = true
      setImmediate(() => void lookUp())
    }
    return answer.promise
  }

  async function lookUp(): Promise<void> {
    while (waiting.size > 0) {
      const group = new Map(waiting)
      const startedAt = performance.now()
      const hashes = [...group.keys()].map(hashKey)
      try {
        const rows = await inTime(query<KeyRow>(database, keyCheckSql, [hashes]))
        const byHash = new Map(rows.map((row) => [row.hash, row]))
        let i = 0
        for (const [key, answer] of group) settle(key, answer, byHash.get(hashes[i++]!), startedAt)
      } catch (error) {
        for (const [key, answer] of group) outlast(key, answer, error)
      }
      for (const key of group.keys()) waiting.delete(key)
    }
    looking = false
  }

  function settle(key: string, answer: Deferred<Caller | KeyFault>, row: KeyRow | undefined, at: number): void {
    const expiresAt = row?.expires_at?.getTime() ?? Infinity
    const fault = !row ? 'unknown' : row.revoked_at ? 'revoked' : clock() >= expiresAt ? 'expired' : undefined
    if (!row || fault) {
      cache.delete(key)
      answer.resolve(fault ?? 'unknown')
      return
    }
    const { id: keyId, name: keyName, scopes, tenant_id: tenantId, tenant_name: tenantName } = row
    const caller = { keyId, keyName, scopes, ...(tenantId && tenantName && { tenantId, tenantName }) }
    cache.set(key, { caller, expiresAt, verifiedAt: at })
    answer.resolve(caller)
  }

  /** The database does not answer. */
  function outlast(key: string, answer: Deferred<Caller | KeyFault>, error: unknown): void {
    const entry = cache.get(key)
    if (entry && clock() >= entry.expiresAt) answer.resolve('expired')
    else if (entry && isUnavailable(error)) {
      entry.verifiedAt = performance.now()
      answer.resolve(entry.caller)
    } else answer.reject(error)
  }

  return { known, find, wasValid: (key) => cache.has(key) }
}

/** A key check must not wait as long as a statement may. */
class KeyCheckTimeout extends Error {
  readonly code = 'ANSWER_TIMEOUT'
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new KeyCheckTimeout('the database did not answer in time')), TIMEOUT_MS)
  })
  work.catch(() => {}) // nobody waits for it any more when it is late
  return await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** A promise and what settles it. */
interface Deferred<T> {
  promise: Promise<T>
  resolve: (value: T) => void
  reject: (reason: unknown) => void
}

/** Promise.withResolvers, which Node 20 has not. */
function withResolvers<T>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (reason: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
