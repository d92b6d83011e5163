import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from './context.ts'
import type { Event } from './event.ts'
import { openGroup } from './group.ts'
import { findOver, isOverAny } from './over_quota.ts'
import { type Poison, recordEvents } from './record.ts'

/** Events per stream entry, at most: what a worker must hold to record one. */
const ENTRY_EVENTS = 1_000
/** Events per write, at most, unless a single request brings more. */
const WRITE_EVENTS = 2_000
/** After a failed write the stream is left alone for this long. */
const STREAM_PAUSE_MS = 2_000

/** What is known of events that are durable now. */
export interface Accepted {
  /** Those that PostgreSQL will never take: only the others count. Known on the direct path alone. */
  poison: Poison[]
  /** Whether the event went beyond a hard quota of its tenant, as far as that is known. */
  isOver: (event: Event) => boolean
}

/** Makes events durable. */
export interface Intake {
  /**
   * Resolves when the events are durable: in Valkey's fsynced log, or committed in PostgreSQL.
   * @throws when neither store answered; then it is unknown whether the events count, and sending them again is safe
   */
  accept(events: Event[]): Promise<Accepted>
  /** Resolves when nothing is in hand: also what a client left behind that did not wait for its answer. */
  idle: () => Promise<void>
}

/**
 * Opens the intake of one process. It commits in groups: while one write is in flight, what arrives waits and goes out
 * together in the next.
 */
export function openIntake(ctx: Omit<Context, 'intake'>): Intake {
  let streamPausedUntil = 0

  const group = openGroup<Event[], Accepted>(
    async (requests) => {
      const accepted = await write(requests.length === 1 ? requests[0]! : requests.flat())
      return requests.map(() => accepted)
    },
    { most: WRITE_EVENTS, sizeOf: (events) => events.length },
  )

  async function write(events: Event[]): Promise<Accepted> {
    ctx.metrics.intakeBatch.observe(events.length)
    const over = await writeStream(events)
    if (over) {
      ctx.metrics.accepted.inc({ path: 'stream' }, events.length)
      return { poison: [], isOver: over }
    }
    const { counters, poison } = await recordEvents(ctx, events)
    ctx.metrics.accepted.inc({ path: 'direct' }, events.length - poison.length)
    return { poison, isOver: isOverAny(counters) }
  }

  /** Undefined: not written, or unknown whether; the ids make it safe to write the events again elsewhere. */
  async function writeStream(events: Event[]): Promise<Accepted['isOver'] | undefined> {
    if (!ctx.valkey || ctx.clock() < streamPausedUntil) return undefined
    try {
      const writes: Promise<unknown>[] = []
      for (let from = 0; from < events.length; from += ENTRY_EVENTS) {
        const entry = events.length <= ENTRY_EVENTS ? events : events.slice(from, from + ENTRY_EVENTS)
        writes.push(ctx.valkey.xadd(ctx.config.queueName, '*', 'events', JSON.stringify(entry)))
      }
      const [over] = await Promise.all([findOver(ctx.valkey, ctx.config.queueName, events), ...writes])
      return over
    } catch (error) {
      streamPausedUntil = ctx.clock() + STREAM_PAUSE_MS
      ctx.metrics.streamFailures.inc()
      ctx.log.warn({ reason: (error as Error).message }, 'stream write failed; recording in PostgreSQL')
      return undefined
    }
  }

  async function idle(): Promise<void> {
    while (group.isBusy()) await sleep(5)
  }

  return { accept: group.run, idle }
}
