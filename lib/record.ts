import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from './context.ts'
import { errorCode, query } from './database.ts'
import type { Event } from './event.ts'
import { loadSql } from './sql.ts'

const recordEventsSql = loadSql('queries/record_events')

/** What recording needs of the context. */
export type Recorder = Pick<Context, 'database' | 'metrics'>

/** A counter that a batch moved. */
export interface Counter {
  tenantId: string
  quotaId: string
  periodStart: Date
  tokenLimit: number
  previousTokens: number
  totalTokens: number
  /** The thresholds, in percent, that it crossed: one alert each. */
  crossed: number[]
}

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
  period_start: Date
  token_limit: number
  previous_tokens: number
  total_tokens: number
  recorded_events: number
  crossed: number[]
}

/**
 * Records events in PostgreSQL, each batch in one transaction. Events recorded before change nothing.
 * A batch that fails for a permanent reason (SQLSTATE class 22, data, or 23, constraint) is halved until the poison is alone.
 * @throws anything else: an outage, after which the same events may be tried again
 */
export async function recordEvents(ctx: Recorder, events: Event[]): Promise<Recorded> {
  try {
    return { counters: await call(ctx, events), poison: [] }
  } catch (error) {
    const sqlstate = errorCode(error)
    if (!/^(22|23)...$/.test(sqlstate)) throw error
    const [only] = events
    if (only && events.length === 1) {
      return { counters: [], poison: [{ event: only, sqlstate, reason: (error as Error).message }] }
    }
    const half = Math.ceil(events.length / 2)
    const left = await recordEvents(ctx, events.slice(0, half))
    const right = await recordEvents(ctx, events.slice(half))
    return { counters: [...left.counters, ...right.counters], poison: [...left.poison, ...right.poison] }
  }
}

async function call(ctx: Recorder, events: Event[], attempt = 1): Promise<Counter[]> {
  const end = ctx.metrics.recordSeconds.startTimer()
  try {
    const rows = await query<CounterRow>(ctx.database, recordEventsSql, toArrays(events))
    const recorded = rows.reduce((sum, row) => sum + row.recorded_events, 0)
    ctx.metrics.recordEvents.observe(events.length)
    ctx.metrics.recorded.inc(recorded)
    ctx.metrics.duplicates.inc(events.length - recorded)
    ctx.metrics.crossings.inc(rows.reduce((sum, row) => sum + row.crossed.length, 0))
    return rows.map((row) => ({
      tenantId: row.tenant_id,
      quotaId: row.quota_id,
      periodStart: row.period_start,
      tokenLimit: row.token_limit,
      previousTokens: row.previous_tokens,
      totalTokens: row.total_tokens,
      crossed: row.crossed,
    }))
  } catch (error) {
    // Deadlock and serialization failures: the transaction is gone, the next try may well succeed.
    if (!['40P01', '40001'].includes(errorCode(error)) || attempt === 5) throw error
    await sleep(Math.random() * 20 * 2 ** attempt)
    return await call(ctx, events, attempt + 1)
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
  ]
}
