import type { Context } from './context.ts'
import { errorCode, query, queryAgain } from './database.ts'
import type { Event } from './event.ts'
import { loadSql } from './sql.ts'

const recordEventsSql = loadSql('queries/record_events')
const eventConflictsSql = loadSql('queries/event_conflicts')

/** What recording needs of the context. */
export type Recorder = Pick<Context, 'database' | 'metrics' | 'changes'>

/** The counter of a quota that a batch moved. */
export interface Counter {
  tenantId: string
  /** Of the monthly quota: the tenant's own id. */
  quotaId: string
  /** Which one it counts; null: all. */
  feature: string | null
  hard: boolean
  periodStart: Date
  periodEnd: Date
  tokenLimit: number
  previousTokens: number
  totalTokens: number
  /** The thresholds, in percent, that it crossed: one alert each. */
  crossed: number[]
}

/** SQLSTATE unique_violation: the event's id belongs to one that was recorded with another feature or other tokens. */
export const ID_REUSED = '23505'

/** An event that PostgreSQL will never take, and why. */
export interface Poison {
  event: Event
  sqlstate: string
  reason: string
}

export interface Recorded {
  counters: Counter[]
  poison: Poison[]
}

interface CounterRow {
  tenant_id: string
  quota_id: string
  feature: string | null
  hard: boolean
  period_start: Date
  period_end: Date
  token_limit: number
  previous_tokens: number
  total_tokens: number
  recorded_events: number
  crossed: number[]
  remainder_events: number
}

/**
 * Records events in PostgreSQL, each batch in one transaction. Events recorded before change nothing.
 * A batch that fails for a permanent reason (SQLSTATE class 22, data, or 23, constraint) is halved until the poison is alone.
 * @throws anything else: an outage, after which the same events may be tried again
 */
export async function recordEvents(ctx: Recorder, events: Event[], withinMs?: number): Promise<Recorded> {
  try {
    return await call(ctx, events, withinMs)
  } catch (error) {
    const sqlstate = errorCode(error)
    if (!/^(22|23)...$/.test(sqlstate)) throw error
    const [only] = events
    if (only && events.length === 1) {
      return { counters: [], poison: [{ event: only, sqlstate, reason: (error as Error).message }] }
    }
    const half = Math.ceil(events.length / 2)
    const left = await recordEvents(ctx, events.slice(0, half), withinMs)
    const right = await recordEvents(ctx, events.slice(half), withinMs)
    return { counters: [...left.counters, ...right.counters], poison: [...left.poison, ...right.poison] }
  }
}

/** Those among the events whose ids were used for something else. A true repeat is none of them. */
async function findReused(ctx: Recorder, events: Event[]): Promise<Poison[]> {
  const [tenantIds, ids, features, tokens] = toArrays(events)
  const rows = await query<{ position: number }>(ctx.database, eventConflictsSql, [tenantIds, ids, features, tokens])
  const reason = 'the id belongs to an event that was recorded with another feature or other tokens'
  return rows.map(({ position }) => ({ event: events[position - 1]!, sqlstate: ID_REUSED, reason }))
}

async function call(ctx: Recorder, events: Event[], withinMs?: number): Promise<Recorded> {
  const end = ctx.metrics.recordSeconds.startTimer()
  try {
    const rows = await queryAgain<CounterRow>(ctx.database, recordEventsSql, toArrays(events), withinMs)
    const monthly = rows.filter((row) => row.quota_id === row.tenant_id) // which counts every event of its tenant
    const oldest = events.reduce((min, event) => Math.min(min, event.receivedAt), Infinity)
    for (const row of monthly)
      ctx.changes.recorded(row.tenant_id, row.recorded_events, row.total_tokens - row.previous_tokens, oldest)
    const recorded = monthly.reduce((sum, row) => sum + row.recorded_events, 0)
    ctx.metrics.recordEvents.observe(events.length)
    ctx.metrics.recorded.inc(recorded)
    ctx.metrics.duplicates.inc(events.length - recorded)
    ctx.metrics.crossings.inc(rows.reduce((sum, row) => sum + row.crossed.length, 0))
    ctx.metrics.remainder.inc(monthly.reduce((sum, row) => sum + row.remainder_events, 0))
    const counters = rows.map((row) => ({
      tenantId: row.tenant_id,
      quotaId: row.quota_id,
      feature: row.feature,
      hard: row.hard,
      periodStart: row.period_start,
      periodEnd: row.period_end,
      tokenLimit: row.token_limit,
      previousTokens: row.previous_tokens,
      totalTokens: row.total_tokens,
      crossed: row.crossed,
    }))
    return { counters, poison: recorded < events.length ? await findReused(ctx, events) : [] }
  } finally {
    end()
  }
}

/** One array per column, in the order of `record_events`' parameters. */
function toArrays(events: Event[]): unknown[] {
  return [
    events.map((event) => event.tenantId),
    events.map((event) => event.id),
    events.map((event) => event.feature),
    events.map((event) => event.tokens),
    events.map((event) => new Date(event.createdAt).toISOString()),
    events.map((event) => new Date(event.receivedAt).toISOString()),
    // As text: the driver takes a list of booleans for one boolean.
    events.some((event) => event.settles) ? events.map((event) => String(event.settles === true)) : null,
  ]
}
