import { v5 as uuidv5 } from 'uuid'
import { z } from 'zod'
import type { Context } from '../lib/context.ts'
import { query } from '../lib/store/database.ts'
import { Event } from '../lib/events/event.ts'
import type { StreamEntry } from '../lib/events/stream.ts'
import { streamConsumer } from '../lib/worker/consumer.ts'
import { noteOver } from '../lib/quota/over_quota.ts'
import { type Counter, ID_REUSED, recordEvents } from '../lib/events/record.ts'
import { loadSql } from '../lib/store/sql.ts'
import { quotaPercent } from '../lib/usage/usage.ts'

/** Events per transaction: at 1,000 a batch reaches the full rate, at 5,000 it only adds latency (DESIGN.md). */
const BATCH_EVENTS = 1_000
const PERCENT_TTL_SECONDS = 10
/** Any fixed UUID: the id of a dead letter derives from its payload. */
const DEAD_LETTER_NAMESPACE = 'b3f0c7de-5d0a-4c58-9a51-3f6f2f0f7b11'

/** How many events with a reused id are kept of one read: that is their sender's mistake, and the first one counts. */
const REUSED_KEPT = 100
/** Requests that a line of the log names, at most. */
const REQUESTS_NAMED = 20

interface DeadLetter {
  payload: string
  sqlstate: string | null
  reason: string
  /** Of the requests that brought it. */
  requestIds: string
}

/** Moves events from the stream into PostgreSQL. What can never be recorded becomes a dead letter. */
export default streamConsumer({
  group: 'rollup',
  batchSize: 32,
  async consume(ctx, messages, isLastTry) {
    const { events, sources, dead } = decode(messages)
    let reused = 0
    for (let from = 0; from < events.length; from += BATCH_EVENTS) {
      const batch = events.length <= BATCH_EVENTS ? events : events.slice(from, from + BATCH_EVENTS)
      const { counters, poison } = await recordEvents(ctx, batch, { isLastTry })
      for (const { event, sqlstate, reason } of poison) {
        if (sqlstate === ID_REUSED && ++reused > REUSED_KEPT) continue
        const { requestIds } = sources.get(event)!
        dead.push({ payload: JSON.stringify(event), sqlstate: sqlstate || null, reason, requestIds })
      }
      const oldest = batch.reduce((min, event) => Math.min(min, event.receivedAt), Infinity)
      ctx.metrics.freshnessSeconds.observe(Math.max(0, ctx.clock() - oldest) / 1000)
      cachePercents(ctx, counters)
      if (ctx.valkey) noteOver(ctx.valkey, ctx.config.queueName, counters, ctx.clock())
    }
    if (dead.length > 0) await putAside(ctx, dead)
    if (!ctx.log.isLevelEnabled('debug')) return
    for (const { id, requestIds } of messages) ctx.log.debug({ entry: id, requestIds }, 'recorded')
  },
})

/** The events of messages, which message brought each, and what is none. */
function decode(messages: StreamEntry[]): { events: Event[]; sources: Map<Event, StreamEntry>; dead: DeadLetter[] } {
  const events: Event[] = []
  const sources = new Map<Event, StreamEntry>()
  const dead: DeadLetter[] = []
  for (const message of messages) {
    const { payload, requestIds } = message
    const putAway = (text: string, reason: string) => dead.push({ payload: text, sqlstate: null, reason, requestIds })
    const entries = z.array(z.unknown()).safeParse(parse(payload))
    if (!entries.success) putAway(payload, 'the stream entry is not a list of events')
    for (const entry of entries.data ?? []) {
      const event = Event.safeParse(entry)
      if (event.success) {
        events.push(event.data)
        sources.set(event.data, message)
      } else putAway(write(entry) ?? payload, z.prettifyError(event.error))
    }
  }
  return { events, sources, dead }
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch {
    return undefined
  }
}

/** Undefined: JSON that can be read, but is nested too deeply to be written. */
function write(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

async function putAside(ctx: Context, dead: DeadLetter[]): Promise<void> {
  // PostgreSQL's text holds no NUL; JSON writes one as an escape, a broken entry may have it raw.
  const letters = dead.map((letter) => ({ ...letter, payload: letter.payload.replaceAll('\0', '\\u0000') }))
  const unique = new Map(letters.map((letter) => [uuidv5(letter.payload, DEAD_LETTER_NAMESPACE), letter]))
  const rows = [...unique.values()]
  await query(ctx.database, loadSql('queries/dead_letter_insert'), [
    [...unique.keys()],
    rows.map((row) => row.payload),
    rows.map((row) => row.sqlstate),
    rows.map((row) => row.reason),
  ])
  ctx.metrics.deadLetters.inc(rows.length)
  const requestIds = [...new Set(rows.map((row) => row.requestIds))].slice(0, REQUESTS_NAMED)
  ctx.log.error({ events: rows.length, reason: rows[0]?.reason, requestIds }, 'events became dead letters')
}

/** The newest percentage of each tenant's monthly quota, for readers of Valkey. A cache: nothing depends on it. */
function cachePercents(ctx: Context, counters: Counter[]): void {
  for (const { tenantId, quotaId, tokenLimit, used } of counters) {
    if (quotaId !== tenantId) continue
    ctx.valkey
      ?.set(
        `${ctx.config.queueName}:quota-percent:${tenantId}`,
        quotaPercent(used, tokenLimit),
        'EX',
        PERCENT_TTL_SECONDS,
      )
      .catch(() => {})
  }
}
