import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { isTooSlow, isUnavailable } from '../store/outage.ts'
import type { Valkey } from '../store/valkey.ts'
import type { Event } from './event.ts'
import { openGroup } from '../store/group.ts'
import { findOver, isOverAny } from '../quota/over_quota.ts'
import { type Poison, type RecordNeeds, recordEvents } from './record.ts'
import { noteSettling } from './stream.ts'

/** Events per stream entry, at most: what a worker must hold to record one. */
const ENTRY_EVENTS = 1_000
/** Events per write, at most, unless a single request brings more. */
const WRITE_EVENTS = 2_000
/** After a failed write the stream is left alone for this long; for settlements, PostgreSQL. */
const PAUSE_MS = 2_000
/** With what a write to the stream may take before, it is less than a group waits. */
const RECORD_MS = 3_000
/** A settlement goes into the stream when PostgreSQL takes longer. */
const SETTLE_MS = 2_000

/** What is known of events that are durable now. */
export interface Accepted {
  /** The events of this write that PostgreSQL will never take; all others count. Known on the direct path only. */
  poison: Poison[]
  /** Whether the event went beyond a hard quota of its tenant, as far as that is known. */
  isOver: (event: Event) => boolean
}

/** Makes events durable. */
export interface Intake {
  /**
   * Resolves when the events are durable: in Valkey's fsynced log, or committed in PostgreSQL.
   * @throws when neither store answered within a few seconds; then it is unknown whether the events count, and sending
   * them again is safe The stream entry carries the id of the `sender`'s request on to the worker's log. What its
   * client has left before its turn came, is not written.
   */
  accept(events: Event[], sender?: Requester): Promise<Accepted>
  /** Resolves when nothing is in hand: also what a client left behind that did not wait for its answer. */
  idle: () => Promise<void>
}

/** Who waits for the answer. */
export interface Requester {
  requestId: string
  /** The client has gone, and nobody receives the answer. */
  isLeft: () => boolean
}

interface Needs extends RecordNeeds {
  config: Pick<Config, 'queueName'>
  log: Logger
  valkey?: Valkey
  clock: () => number
}

interface WaitingEvents {
  events: Event[]
  sender: Requester | undefined
  /** On the monotonic clock. */
  since: number
}

/**
 * Opens the intake of one process. It commits in groups: while one write is in flight, what arrives waits and goes out
 * together in the next. Events go into the stream, and to PostgreSQL when that fails; settlements the other way round:
 * their holds are in PostgreSQL, and must not lapse while a settlement waits elsewhere. So none does, unless PostgreSQL
 * is away.
 */
export function openIntake(ctx: Needs): Intake {
  /** On the monotonic clock: the wall's may step back. */
  let streamPausedUntil = 0
  let databasePausedUntil = 0

  const options = {
    most: WRITE_EVENTS,
    sizeOf: ({ events }: WaitingEvents) => events.length,
    isLeft: ({ sender }: WaitingEvents) => sender?.isLeft() === true,
  }
  const recording = openGroup(inGroups(record), options)
  const settling = openGroup(inGroups(settle), options)

  const accept = (events: Event[], sender?: Requester): Promise<Accepted> =>
    (events[0]?.settles ? settling : recording).run({ events, sender, since: performance.now() })

  function inGroups(write: (events: Event[], requestIds: string) => Promise<Accepted>) {
    return async (waiting: WaitingEvents[]): Promise<Accepted[]> => {
      ctx.metrics.intakeWaitSeconds.observe((performance.now() - waiting[0]!.since) / 1000)
      const events = waiting.length === 1 ? waiting[0]!.events : waiting.flatMap((request) => request.events)
      ctx.metrics.intakeBatch.observe(events.length)
      const accepted = await write(events, waiting.flatMap(({ sender }) => sender?.requestId ?? []).join(','))
      return waiting.map(() => accepted)
    }
  }

  async function record(events: Event[], requestIds: string): Promise<Accepted> {
    return (await writeStream(events, requestIds)) ?? (await writeDatabase(events, RECORD_MS))
  }

  async function settle(events: Event[], requestIds: string): Promise<Accepted> {
    if (!ctx.valkey) return await writeDatabase(events, RECORD_MS)
    let failure: unknown
    if (performance.now() >= databasePausedUntil) {
      try {
        return await writeDatabase(events, SETTLE_MS)
      } catch (error) {
        if (!isUnavailable(error) && !isTooSlow(error)) throw error
        databasePausedUntil = performance.now() + PAUSE_MS
        failure = error
      }
    }
    const accepted = await writeStream(events, requestIds)
    if (accepted) return accepted
    if (failure) throw failure
    return await writeDatabase(events, SETTLE_MS)
  }

  async function writeDatabase(events: Event[], withinMs: number): Promise<Accepted> {
    const startedAt = performance.now()
    const { counters, poison } = await recordEvents(ctx, events, { withinMs })
    ctx.metrics.freshnessSeconds.observe((performance.now() - startedAt) / 1000)
    ctx.metrics.accepted.inc({ path: 'direct' }, events.length - poison.length)
    return { poison, isOver: isOverAny(counters) }
  }

  /** Undefined: not written, or unknown whether; the ids make it safe to write the events again elsewhere. */
  async function writeStream(events: Event[], requestIds: string): Promise<Accepted | undefined> {
    if (!ctx.valkey || performance.now() < streamPausedUntil) return undefined
    try {
      const writes: Promise<unknown>[] = []
      if (events[0]?.settles) writes.push(noteSettling(ctx.valkey, ctx.config.queueName, ctx.clock()))
      for (let from = 0; from < events.length; from += ENTRY_EVENTS) {
        const entry = events.length <= ENTRY_EVENTS ? events : events.slice(from, from + ENTRY_EVENTS)
        const fields = ['events', JSON.stringify(entry), 'requests', requestIds]
        writes.push(ctx.valkey.xadd(ctx.config.queueName, '*', ...fields))
      }
      const [isOver] = await Promise.all([findOver(ctx.valkey, ctx.config.queueName, events), ...writes])
      ctx.metrics.accepted.inc({ path: 'stream' }, events.length)
      return { poison: [], isOver }
    } catch (error) {
      streamPausedUntil = performance.now() + PAUSE_MS
      ctx.metrics.streamFailures.inc()
      ctx.log.warn({ reason: (error as Error).message }, 'stream write failed; recording in PostgreSQL')
      return undefined
    }
  }

  async function idle(): Promise<void> {
    while (recording.isBusy() || settling.isBusy()) await sleep(5)
  }

  return { accept, idle }
}
