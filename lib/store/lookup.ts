import { LRUCache } from 'lru-cache'
import { isUnavailable } from './outage.ts'
import { openGroup } from './group.ts'

/** A look-up should not take longer: who asks must not wait as long as a statement may take. */
export const LOOKUP_MS = 1_000
/** Keys per query, at most. */
const QUERY_KEYS = 1_000
/** After a failure, nothing is asked for this long. */
const REST_MS = 300
/** How long the store counts as away after a failure, unless it answers: nobody needs to wait meanwhile. */
const AWAY_MS = LOOKUP_MS + REST_MS + 200

/** Until when stores count as away. Who has waited for one look-up need not wait for the next. */
const awayUntil = new WeakMap<object, number>()

/** Values that are read again and again, at most `freshMs` old. */
export interface Lookup<Value> {
  /** The value when it is fresh, without a promise. In use for `refreshMs`, it is loaded again in the background. */
  known(key: string): Value | undefined
  /**
   * Loads the value; undefined: there is none. Keys asked for while a query is on its way go together in the next: no
   * answer is older than its question. @throws what `load` throws
   */
  find(key: string): Promise<Value | undefined>
  /** As `find`; while the store does not answer, the value that was loaded last, however long ago. */
  findOrLast(key: string): Promise<Value | undefined>
  /** The value that was loaded last, however long ago. */
  last(key: string): Value | undefined
  /** Milliseconds since the query that loaded it began; Infinity without one. */
  age(key: string): number
}

export interface LookupOptions<Value> {
  /** What `load` asks: all look-ups of it know when it is away. */
  store: object
  freshMs: number
  refreshMs: number
  /** Entries, at most. The cache takes its memory at once, 3 MB for 100,000. */
  most: number
  /** The values that there are, by key. */
  load: (keys: string[]) => Promise<Map<string, Value>>
}

interface Cached<Value> {
  value: Value
  /** On the monotonic clock, from before the query. */
  loadedAt: number
}

/** Opens a cache that loads what is missing, one query at a time, and renews what is in use before it is stale. */
export function openLookup<Value>({ store, freshMs, refreshMs, most, load }: LookupOptions<Value>): Lookup<Value> {
  const cache = new LRUCache<string, Cached<Value>>({ max: most })
  /** Keys that wait for a query to begin, and the answer they will get; and those of the query on its way. */
  const asked = new Map<string, Promise<Value | undefined>>()
  let loading: ReadonlySet<string> = new Set()

  const group = openGroup(loadAll, { most: QUERY_KEYS, restMs: REST_MS })

  async function loadAll(keys: string[]): Promise<(Value | undefined)[]> {
    const loadedAt = performance.now()
    loading = new Set(keys)
    for (const key of keys) asked.delete(key)
    const found = await loadOrRemember(keys).finally(() => (loading = new Set()))
    return keys.map((key) => {
      const value = found.get(key)
      if (value === undefined) cache.delete(key)
      else cache.set(key, { value, loadedAt })
      return value
    })
  }

  async function loadOrRemember(keys: string[]): Promise<Map<string, Value>> {
    try {
      const found = await load(keys)
      awayUntil.delete(store)
      return found
    } catch (error) {
      if (isUnavailable(error)) awayUntil.set(store, performance.now() + AWAY_MS)
      else awayUntil.delete(store)
      throw error
    }
  }

  function known(key: string): Value | undefined {
    const entry = cache.get(key)
    if (!entry) return undefined
    const age = performance.now() - entry.loadedAt
    if (age > freshMs) return undefined
    // The next use waits, and gets the error
    if (age > refreshMs && !asked.has(key) && !loading.has(key)) find(key).catch(() => {})
    return entry.value
  }

  function find(key: string): Promise<Value | undefined> {
    const waiting = asked.get(key)
    if (waiting) return waiting
    const answer = group.run(key).finally(() => {
      if (asked.get(key) === answer) asked.delete(key) // it failed before the query began
    })
    asked.set(key, answer)
    return answer
  }

  async function findOrLast(key: string): Promise<Value | undefined> {
    const asking = find(key)
    const last = cache.get(key)
    if (!last) return await asking
    const late = asking.catch((error: unknown) => {
      if (!isUnavailable(error)) throw error
      return last.value
    })
    if (performance.now() >= (awayUntil.get(store) ?? 0)) return await late
    late.catch(() => {}) // the next to ask once the store is back gets the error
    return last.value
  }

  return {
    known,
    find,
    findOrLast,
    last: (key) => cache.get(key)?.value,
    age: (key) => performance.now() - (cache.peek(key)?.loadedAt ?? -Infinity),
  }
}
