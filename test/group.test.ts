import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openGroup } from '../lib/store/group.ts'
import { atMost } from './_counts.ts'

const settled = <T>(work: Promise<T>) => work.catch((error: Error) => error.message)

/** A store that does its work when the test says so. */
function store() {
  const calls: { items: string[]; answer: () => void; fail: (error: Error) => void }[] = []
  const work = (items: string[]) =>
    new Promise<string[]>((resolve, reject) => {
      calls.push({ items, answer: () => resolve(items), fail: reject })
    })
  return { calls, work }
}

test('nobody waits longer than the deadline, and work not started by then never starts', async () => {
  const { calls, work } = store()
  const { run, isBusy } = openGroup(work, { most: 10, withinMs: 100 })
  const first = settled(run('a'))
  await sleep(20)
  const second = settled(run('b'))
  const at = performance.now()
  expect(await Promise.all([first, second])).toEqual(Array(2).fill('no store answered in time'))
  expect(performance.now() - at).toBeLessThan(atMost(1_000))
  const third = run('c')
  calls[0]!.answer()
  await sleep(20)
  calls[1]!.answer()
  expect(await third).toBe('c')
  expect(calls.map(({ items }) => items)).toEqual([['a'], ['c']])
  await sleep(20)
  expect(isBusy()).toBe(false)
})

test('work that nobody waits for any more is skipped', async () => {
  const { calls, work } = store()
  const left = new Set<string>()
  const { run } = openGroup(work, { most: 10, isLeft: (item) => left.has(item) })
  const answers = [settled(run('a'))]
  await sleep(5)
  answers.push(settled(run('b')), settled(run('c')))
  left.add('b')
  calls[0]!.answer()
  await sleep(5)
  calls[1]!.answer()
  expect(await Promise.all(answers)).toEqual(['a', 'nobody waits for it any more', 'c'])
  expect(calls[1]!.items).toEqual(['c'])
})

test('after a slow failure the next ones fail at once, except for one try at a time', async () => {
  const { calls, work } = store()
  const { run } = openGroup(work, { most: 10, restMs: 50 })
  const first = [settled(run('a'))]
  await sleep(5)
  first.push(settled(run('b')))
  await sleep(100)
  calls[0]!.fail(new Error('away'))
  expect(await Promise.all([...first, settled(run('c'))])).toEqual(['away', 'away', 'away'])
  await sleep(60)
  const trying = run('d')
  expect(await settled(run('e'))).toBe('away')
  await sleep(5)
  calls[1]!.answer()
  expect(await trying).toBe('d')
  expect(calls.map(({ items }) => items)).toEqual([['a'], ['d']])
  const again = run('f')
  await sleep(5)
  calls[2]!.answer()
  expect(await again).toBe('f')
})

test('a fast failure affects only its own group', async () => {
  const { calls, work } = store()
  const { run } = openGroup(work, { most: 10 })
  const first = settled(run('a'))
  await sleep(5)
  const second = run('b')
  calls[0]!.fail(new Error('a connection broke'))
  await sleep(5)
  calls[1]!.answer()
  expect([await first, await second]).toEqual(['a connection broke', 'b'])
})

test('a group has a maximum size, unless a single item exceeds it', async () => {
  const groups: number[][] = []
  const work = async (items: number[]) => (groups.push(items), await sleep(5), items)
  const { run } = openGroup(work, { most: 10, sizeOf: (size) => size })
  await Promise.all([1, 4, 6, 50, 5, 5, 1].map(run))
  expect(groups).toEqual([[1, 4], [6], [50], [5, 5], [1]])
})
