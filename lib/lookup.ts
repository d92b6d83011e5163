import { LRUCache } from 'lru-cache'
import { openGroup } from './group.ts'

/** A look-up should not take longer: who asks must not wait as long as a statement may take. */
export const LOOKUP_MS = 1_000
/** Keys per query, at most. */
const QUERY_KEYS = 1_000
/** After a failure nothing is asked for so long. */
const REST_MS = 300

/** Values that are read again and again, at most `freshMs` old. */
export interface Lookup<Value> {
  /** The value when it is fresh, without a promise. In use for `refreshMs`, it is loaded again in the background. */
  known(key: string): Value | undefined
  /** Loads the value; undefined: there is none. Keys asked for meanwhile go together in the next query. @throws what `load` throws */
  find(key: string): Promise<Value | undefined>
  /** Nothing could be loaded lately. Who has a value does not wait then for another failure; the next `find` that works ends it. */
  isFailing(): boolean
  /** The value that was loaded last, however long ago. */
  last(key: string): Value | undefined
  /** Milliseconds since the query that loaded it began; Infinity without one. */
  age(key: string): number
  /** Makes what is known fresh again: nothing newer is to be had now. */
  prolong(key: string): void
}

export interface LookupOptions<Value> {
  freshMs: number
  refreshMs: number
  /** Entries, at most. The cache takes its memory at once, 3 MB for 100,000. */
  most: number
  /** The values that there are, by key. */
  load: (keys: string[]) => Promise<Map<string, Value>>
}

interface Entry<Value> {
  value: Value
  /** On the monotonic clock, from before the query. */
  loadedAt: number
}

/** Opens a cache that loads what is missing, one query at a time, and renews what is in use before it is stale. */
export function openLookup<Value>({ freshMs, refreshMs, most, load }: LookupOptions<Value>): Lookup<Value> {
  const cache = new LRUCache<string, Entry<Value>>({ max: most })
  const asked = new Map<string, Promise<Value | undefined>>()

  let isFailing = false
  const group = openGroup(loadAll, { most: QUERY_KEYS, restMs: REST_MS })

  async function loadAll(keys: string[]): Promise<(Value | undefined)[]> {
    const loadedAt = performance.now()
    const found = await load(keys).catch((error: unknown) => {
      isFailing = true
      throw error
    })
    isFailing = false
    return keys.map((key) => {
      const value = found.get(key)
      if (value === undefined) cache.delete(key)
      else cache.set(key, { value, loadedAt })
      return value
    })
  }

  function known(key: string): Value | undefined {
    const entry = cache.get(key)
    if (!entry) return undefined
    const age = performance.now() - entry.loadedAt
    if (age > freshMs) return undefined
    if (age > refreshMs && !asked.has(key)) find(key).catch(() => {}) // the next use waits, and hears of it
    return entry.value
  }

  function find(key: string): Promise<Value | undefined> {
    let answer = asked.get(key)
    if (!answer) {
      answer = group.run(key).finally(() => asked.delete(key))
      asked.set(key, answer)
    }
    return answer
  }

  return {
    known,
    find,
    isFailing: () => isFailing,
    last: (key) => cache.get(key)?.value,
    age: (key) => performance.now() - (cache.peek(key)?.loadedAt ?? -Infinity),
    prolong(key) {
      const entry = cache.get(key)
      if (entry) entry.loadedAt = performance.now()
    },
  }
}
