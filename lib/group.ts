/** Does the work for one item, together with what arrives meanwhile. */
export type Grouped<Item, Result> = (item: Item) => Promise<Result>

interface Waiter<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

/** A grouped piece of work, and whether any of it is in hand. */
export interface Group<Item, Result> {
  run: Grouped<Item, Result>
  isBusy(): boolean
}

/**
 * Commits in groups: while one call of `work` is in flight, what arrives waits and goes out together in the next.
 * No timer: an idle process works at once, a busy one in groups as large as its store is slow.
 * A group has at most `most` in the measure of `sizeOf`, unless one item alone brings more. After a failure, whatever comes
 * within `restMs` fails with it at once: who can do without the store does not wait for it again and again.
 * @param work takes a group and returns one result per item, in order; when it throws, every item of the group fails
 */
export function openGroup<Item, Result>(
  work: (items: Item[]) => Promise<Result[]>,
  { most, sizeOf = () => 1, restMs = 0 }: { most: number; sizeOf?: (item: Item) => number; restMs?: number },
): Group<Item, Result> {
  let failure: unknown
  let restUntil = 0
  const waiting: Waiter<Item, Result>[] = []
  let working = false

  function run(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      if (working) return
      working = true
      // After the requests that have arrived by now were read: else the first goes alone, and all others wait for it.
      setImmediate(() => void drain())
    })
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const group = take()
      try {
        if (performance.now() < restUntil) throw failure
        const results = await work(group.map(({ item }) => item))
        for (const [i, { resolve }] of group.entries()) resolve(results[i]!)
      } catch (error) {
        if (error !== failure) restUntil = performance.now() + restMs
        failure = error
        for (const { reject } of group) reject(error)
      }
    }
    working = false
  }

  function take(): Waiter<Item, Result>[] {
    let size = 0
    let count = 0
    do size += sizeOf(waiting[count++]!.item)
    while (count < waiting.length && size + sizeOf(waiting[count]!.item) <= most)
    return waiting.splice(0, count)
  }

  return { run, isBusy: () => working }
}
