import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from './context.ts'
import type { Event } from './event.ts'
import { type Poison, recordEvents } from './record.ts'

/** Events per stream entry, at most: what a worker must hold to record one. */
const ENTRY_EVENTS = 1_000
/** Events per write, at most, unless a single request brings more. */
const WRITE_EVENTS = 2_000
/** After a failed write the stream is left alone for this long. */
const STREAM_PAUSE_MS = 2_000

/** Makes events durable. */
export interface Intake {
  /**
   * Resolves when the events are durable: in Valkey's fsynced log, or committed in PostgreSQL.
   * The direct path knows at once what PostgreSQL will never take: those events come back, and only the others count.
   * @throws when neither store answered; then it is unknown whether the events count, and sending them again is safe
   * The stream entry carries `requestId` on to the worker's log.
   */
  accept(events: Event[], requestId?: string): Promise<Poison[]>
  /** Resolves when nothing is in hand: also what a client left behind that did not wait for its answer. */
  idle: () => Promise<void>
}

interface Waiter {
  events: Event[]
  requestId: string | undefined
  /** On the monotonic clock. */
  since: number
  resolve: (poison: Poison[]) => void
  reject: (error: unknown) => void
}

/**
 * Opens the intake of one process. It commits in groups: while one write is in flight, what arrives waits and goes out
 * together in the next. No timer: an idle server writes at once, a busy one in batches as large as its stores are slow.
 */
export function openIntake(ctx: Omit<Context, 'intake'>): Intake {
  const waiting: Waiter[] = []
  let writing = false
  let streamPausedUntil = 0

  function accept(events: Event[], requestId?: string): Promise<Poison[]> {
    return new Promise((resolve, reject) => {
      waiting.push({ events, requestId, since: performance.now(), resolve, reject })
      if (writing) return
      writing = true
      // After the requests that have arrived by now were read: else the first goes alone, and all others wait for its write.
      setImmediate(() => void drain())
    })
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const group = takeGroup()
      ctx.metrics.intakeWaitSeconds.observe((performance.now() - group[0]!.since) / 1000)
      const events = group.length === 1 ? group[0]!.events : group.flatMap((waiter) => waiter.events)
      try {
        const requestIds = group.flatMap(({ requestId }) => requestId ?? [])
        const poison = await write(events, requestIds.join(','))
        settle(group, poison)
      } catch (error) {
        for (const waiter of group) waiter.reject(error)
      }
    }
    writing = false
  }

  function takeGroup(): Waiter[] {
    let events = 0
    let count = 0
    do events += waiting[count++]!.events.length
    while (count < waiting.length && events + waiting[count]!.events.length <= WRITE_EVENTS)
    return waiting.splice(0, count)
  }

  async function write(events: Event[], requestIds: string): Promise<Poison[]> {
    ctx.metrics.intakeBatch.observe(events.length)
    if (await writeStream(events, requestIds)) {
      ctx.metrics.accepted.inc({ path: 'stream' }, events.length)
      return []
    }
    const startedAt = performance.now()
    const { poison } = await recordEvents(ctx, events)
    ctx.metrics.freshnessSeconds.observe((performance.now() - startedAt) / 1000)
    ctx.metrics.accepted.inc({ path: 'direct' }, events.length - poison.length)
    return poison
  }

  /** False: not written, or unknown whether; the ids make it safe to write the events again elsewhere. */
  async function writeStream(events: Event[], requestIds: string): Promise<boolean> {
    if (!ctx.valkey || ctx.clock() < streamPausedUntil) return false
    try {
      const writes: Promise<unknown>[] = []
      for (let from = 0; from < events.length; from += ENTRY_EVENTS) {
        const entry = events.length <= ENTRY_EVENTS ? events : events.slice(from, from + ENTRY_EVENTS)
        const fields = ['events', JSON.stringify(entry), 'requests', requestIds]
        writes.push(ctx.valkey.xadd(ctx.config.queueName, '*', ...fields))
      }
      await Promise.all(writes)
      return true
    } catch (error) {
      streamPausedUntil = ctx.clock() + STREAM_PAUSE_MS
      ctx.metrics.streamFailures.inc()
      ctx.log.warn({ reason: (error as Error).message }, 'stream write failed; recording in PostgreSQL')
      return false
    }
  }

  async function idle(): Promise<void> {
    while (writing) await sleep(5)
  }

  return { accept, idle }
}

function settle(group: Waiter[], poison: Poison[]): void {
  if (poison.length === 0) {
    for (const waiter of group) waiter.resolve(poison)
    return
  }
  for (const waiter of group) waiter.resolve(poison.filter(({ event }) => waiter.events.includes(event)))
}
