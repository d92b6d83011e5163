import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { DatabaseTimeout } from '../lib/store/database.ts'
import { openLookup } from '../lib/store/lookup.ts'
import { until } from './_context.ts'
import { atMost, count } from './_counts.ts'

const FRESH_MS = 60
const REFRESH_MS = 30

/** A look-up of a store whose content, delay and failure the test sets. */
function createStore(database = {}, freshMs = FRESH_MS) {
  const store = { content: new Map<string, string>(), delayMs: 0, error: undefined as Error | undefined, queries: 0 }
  const lookup = openLookup<string>({
    store: database,
    freshMs,
    refreshMs: REFRESH_MS,
    most: 100,
    async load(keys) {
      store.queries++
      const seen = new Map(store.content) // as a query sees what was there when it began
      await sleep(store.delayMs)
      if (store.error) throw store.error
      return new Map(keys.flatMap((key) => (seen.has(key) ? [[key, seen.get(key)!]] : [])))
    },
  })
  return { store, lookup }
}

test('an answer is never older than its question, even when the same query is already running', async () => {
  const { store, lookup } = createStore()
  store.delayMs = 50
  const before = lookup.find('a')
  await sleep(20) // its query has begun
  store.content.set('a', 'made meanwhile')
  const after = lookup.find('a')
  expect([await before, await after]).toEqual([undefined, 'made meanwhile'])
  expect(store.queries).toBe(2)
})

test('simultaneous look-ups share one query', async () => {
  const { store, lookup } = createStore()
  store.content.set('a', '1').set('b', '2')
  expect(await Promise.all(['a', 'b', 'a', 'c'].map((key) => lookup.find(key)))).toEqual(['1', '2', '1', undefined])
  expect(store.queries).toBe(1)
})

test('a value in use is renewed in the background, by one query at a time', async () => {
  const { store, lookup } = createStore({}, 10_000)
  store.content.set('a', 'old')
  await lookup.find('a')
  store.content.set('a', 'new')
  store.delayMs = 100
  await sleep(REFRESH_MS + 5)
  for (let i = 0; i < 20; i++) expect(lookup.known('a')).toBe('old')
  await sleep(20) // its query has begun
  for (let i = 0; i < 20; i++) expect(lookup.known('a')).toBe('old')
  await until(() => lookup.known('a') === 'new')
  expect(store.queries).toBe(2)
})

test('an old value is used only while the database does not answer', async () => {
  const { store, lookup } = createStore()
  store.content.set('a', 'old')
  await lookup.find('a')
  store.content.set('a', 'new')
  await sleep(FRESH_MS + 5)
  expect(lookup.known('a')).toBe(undefined)
  store.error = new TypeError('a mistake of our own')
  await expect(lookup.findOrLast('a')).rejects.toThrow('a mistake of our own')
  await sleep(350) // after a failure nothing is asked for a moment
  store.error = new DatabaseTimeout('away')
  expect(await lookup.findOrLast('a')).toBe('old')
  expect(lookup.known('a')).toBe(undefined)
  await expect(lookup.find('a')).rejects.toThrow('away')
  await expect(lookup.findOrLast('b')).rejects.toThrow('away')
  await sleep(350)
  store.error = undefined
  expect(await lookup.findOrLast('a')).toBe('old') // nobody waits to hear that the store is back
  await until(() => lookup.known('a') === 'new')
  store.content.set('a', 'newer')
  await sleep(FRESH_MS + 5)
  expect(await lookup.findOrLast('a')).toBe('newer')
})

test('deleted values are forgotten, and missing ones are looked up each time', async () => {
  const { store, lookup } = createStore()
  store.content.set('a', 'there')
  await lookup.find('a')
  store.content.delete('a')
  expect(await lookup.find('a')).toBe(undefined)
  expect([lookup.known('a'), lookup.last('a')]).toEqual([undefined, undefined])
  store.content.set('a', 'again')
  expect(await lookup.find('a')).toBe('again')
})

test('a caller waits for at most one look-up of a store that is down', async () => {
  const database = {}
  const [one, two] = [createStore(database), createStore(database)]
  for (const { store, lookup } of [one, two]) {
    store.content.set('a', 'there')
    await lookup.find('a')
    store.error = new DatabaseTimeout('away')
    store.delayMs = 800
  }
  await sleep(FRESH_MS + 5)
  const startedAt = performance.now()
  expect(await one.lookup.findOrLast('a')).toBe('there')
  expect(performance.now() - startedAt).toBeGreaterThan(790)
  for (let i = 0; i < 20; i++) {
    const askedAt = performance.now()
    expect(await Promise.all([one, two].map(({ lookup }) => lookup.findOrLast('a')))).toEqual(['there', 'there'])
    expect(performance.now() - askedAt).toBeLessThan(count(600, 100))
    await sleep(50)
  }
  for (const { store } of [one, two]) {
    store.content.set('a', 'changed')
    store.error = undefined
  }
  const backAt = performance.now()
  for (const { lookup } of [one, two])
    while ((await lookup.findOrLast('a')) !== 'changed') {
      expect(performance.now() - backAt).toBeLessThan(atMost(2_000))
      await sleep(20)
    }
})
