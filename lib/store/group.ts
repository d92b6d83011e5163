import { DatabaseTimeout } from './database.ts'

/** Does the work for one item, together with what arrives meanwhile. */
export type Grouped<Item, Result> = (item: Item) => Promise<Result>

interface Waiter<Item, Result> {
  item: Item
  /** On the monotonic clock: nobody waits for its result after that. */
  until: number
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/** A grouped piece of work, and whether any of it is in hand. */
export interface Group<Item, Result> {
  run: Grouped<Item, Result>
  isBusy(): boolean
}

/** Shorter than clients wait, longer than the work may take. */
const WITHIN_MS = 4_000
const REST_MS = 500
const FORGET_RESTS = 10

export interface GroupOptions<Item> {
  /** A group has at most so much in the measure of `sizeOf`, unless one item alone brings more. */
  most: number
  sizeOf?: (item: Item) => number
  /** Nobody waits for this item any more: it is left out when its turn comes. */
  isLeft?: (item: Item) => boolean
  /**
   * How long an item waits, for its turn and for the work; default 4 s. Then its outcome is unknown, and when its turn
   * has not come, it never comes: its caller has been answered.
   */
  withinMs?: number
  /**
   * A failure that took longer than that, default 0.5 s, makes whatever waits and whatever comes fail with it at once,
   * for as long again. Then one group tries, and the others keep failing at once until it succeeds: nobody waits for a
   * store again and again. Long after a failure it is forgotten.
   */
  restMs?: number
  /** Calls of `work` at the same time; default 1. */
  atOnce?: number
}

/**
 * Commits in groups: while one call of `work` (`atOnce` calls) is in flight, what arrives waits and goes out together
 * in the next. No timer: an idle process works at once, a busy one in groups as large as its store is slow.
 * @param work takes a group and returns one result per item, in order; when it throws, every item of the group fails
 */
export function openGroup<Item, Result>(
  work: (items: Item[]) => Promise<Result[]>,
  {
    most,
    sizeOf = () => 1,
    isLeft = () => false,
    withinMs = WITHIN_MS,
    restMs = REST_MS,
    atOnce = 1,
  }: GroupOptions<Item>,
): Group<Item, Result> {
  /** Of the group before, when it took long. */
  let failure: unknown
  let restUntil = 0
  let waiting: Waiter<Item, Result>[] = []
  const inHand = new Set<Waiter<Item, Result>[]>()
  let working = 0
  let timer: NodeJS.Timeout | undefined

  function run(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (isFailing()) {
        reject(failure)
        return
      }
      waiting.push({ item, until: performance.now() + withinMs, resolve, reject })
      timer ??= setTimeout(giveUp, withinMs).unref()
      if (working === atOnce) return
      working++
      // After the requests that have arrived by now were read: else the first goes alone, and all others wait for it.
      setImmediate(() => void drain())
    })
  }

  async function drain(): Promise<void> {
    for (let group = take(); group.length > 0; group = take()) {
      inHand.add(group)
      const startedAt = performance.now()
      try {
        const results = await work(group.map(({ item }) => item))
        failure = undefined
        for (const [i, { resolve }] of group.entries()) resolve(results[i]!)
      } catch (error) {
        for (const { reject } of group) reject(error)
        failure = undefined
        if (performance.now() - startedAt > restMs) rest(error)
      }
      inHand.delete(group)
    }
    working--
  }

  function isFailing(): boolean {
    const rested = performance.now() - restUntil
    return failure !== undefined && (rested < 0 || (working > 0 && rested < FORGET_RESTS * restMs))
  }

  function rest(error: unknown): void {
    failure = error
    restUntil = performance.now() + restMs
    for (const { reject } of waiting.splice(0)) reject(error)
  }

  function take(): Waiter<Item, Result>[] {
    const group: Waiter<Item, Result>[] = []
    let size = 0
    let next = 0
    for (; next < waiting.length; next++) {
      const waiter = waiting[next]!
      if (isLeft(waiter.item)) {
        waiter.reject(new DatabaseTimeout('nobody waits for it any more'))
        continue
      }
      size += sizeOf(waiter.item)
      if (group.length > 0 && size > most) break
      group.push(waiter)
    }
    waiting.splice(0, next)
    return group
  }

  /** One timer for all, which nobody stops: at most one every few seconds, whatever the rate. */
  function giveUp(): void {
    timer = undefined
    const now = performance.now()
    let next = Infinity
    for (const waiter of [...inHand, waiting].flat()) {
      if (waiter.until <= now) waiter.reject(new DatabaseTimeout('no store answered in time'))
      else next = Math.min(next, waiter.until)
    }
    waiting = waiting.filter(({ until }) => until > now)
    if (next < Infinity) timer = setTimeout(giveUp, next - now).unref()
  }

  return { run, isBusy: () => working > 0 }
}
