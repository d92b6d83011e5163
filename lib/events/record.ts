import type { Changes } from '../live/changes.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { query, queryAgain } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { errorCode, isUnavailable } from '../store/outage.ts'
import type { Event } from './event.ts'
import { loadSql } from '../store/sql.ts'
import { toDetails } from './record_details.ts'

/** What recording works with. */
export interface RecordNeeds {
  database: Database
  metrics: Metrics
  changes: Changes
}

/** The counter of a quota that a batch moved. */
export interface Counter {
  tenantId: string
  /** Of the monthly quota: the tenant's own id. */
  quotaId: string
  /** Which one it counts; null: all. */
  feature: string | null
  model: string | null
  /** Of a quota per user; null: it counts all together. */
  user: string | null
  hard: boolean
  periodStart: Date
  periodEnd: Date
  /** In what the quota counts, as is `used`. */
  tokenLimit: number
  used: number
  /** The thresholds, in percent, that it crossed: one alert each. */
  crossed: number[]
}

/** SQLSTATE unique_violation: the event's id belongs to one that was recorded as something else. */
export const ID_REUSED = '23505'

/** An event that PostgreSQL will never take, and why. */
export interface Poison {
  event: Event
  /** Empty: it is not PostgreSQL that fails. */
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
  model: string | null
  user_id: string
  hard: boolean
  period_start: Date
  period_end: Date
  token_limit: number
  used: number
  recorded_tokens: number
  recorded_events: number
  crossed: number[]
  remainder_events: number
  unpriced_events: number
}

export interface RecordOptions {
  /** How long anybody waits for all of it. */
  withinMs?: number
  /** What fails for any other reason than an outage has been tried often enough: it counts as poison too. */
  isLastTry?: boolean
}

/** Transactions of one batch, at most, to tell poison from the rest. */
const MOST_TRANSACTIONS = 64

/**
 * Records events in PostgreSQL, each batch in one transaction. Events recorded before change nothing. A batch that
 * fails for a permanent reason (SQLSTATE class 22, data, or 23, constraint) comes apart: the events of tenants that are
 * missing go as a group, and the rest is halved, tenant from tenant first, until the poison is alone. When that takes
 * too many transactions, all that is left of a failing tenant in the batch counts as poison: no tenant's data holds up
 * the others'.
 * @throws anything else: the same events may be tried again
 */
export async function recordEvents(ctx: RecordNeeds, events: Event[], options: RecordOptions = {}): Promise<Recorded> {
  try {
    return await call(ctx, events, options.withinMs)
  } catch (error) {
    if (!isPoison(error, options)) throw error
    return await comeApart(ctx, events, error as Error, options)
  }
}

const isPoison = (error: unknown, { isLastTry }: RecordOptions): boolean =>
  /^(22|23)...$/.test(errorCode(error)) || (isLastTry === true && !isUnavailable(error))

/** Records what can be recorded of a batch that failed with `first`. */
async function comeApart(ctx: RecordNeeds, events: Event[], first: Error, options: RecordOptions): Promise<Recorded> {
  const end = performance.now() + (options.withinMs ?? Infinity)
  const recorded: Recorded = { counters: [], poison: [] }
  const putAside = (slice: Event[], { message: reason }: Error, sqlstate: string) =>
    recorded.poison.push(...slice.map((event) => ({ event, sqlstate, reason })))
  let transactions = 1

  async function record(slice: Event[]): Promise<void> {
    if (slice.length === 0) return
    transactions++
    try {
      const { counters, poison } = await call(ctx, slice, left())
      recorded.counters.push(...counters)
      recorded.poison.push(...poison)
    } catch (error) {
      if (!isPoison(error, options)) throw error
      await divide(slice, error as Error)
    }
  }

  async function divide(slice: Event[], error: Error): Promise<void> {
    const isOfOne = slice.every(({ tenantId }) => tenantId === slice[0]!.tenantId)
    if (slice.length === 1 || (isOfOne && transactions >= MOST_TRANSACTIONS))
      return void putAside(slice, error, errorCode(error))
    const half = isOfOne ? Math.ceil(slice.length / 2) : tenantBoundary(slice)
    await record(slice.slice(0, half))
    await record(slice.slice(half))
  }

  const left = () => (end === Infinity ? undefined : Math.max(0, end - performance.now()))

  const missing = new Set(errorCode(first) === '23503' ? await missingTenants(ctx, events, left()) : [])
  const isLost = ({ tenantId }: Event) => missing.has(tenantId)
  for (const event of events.filter(isLost))
    putAside([event], new Error(`tenant ${event.tenantId} does not exist`), '23503')
  const rest = sorted(events.filter((event) => !isLost(event)))
  await (missing.size === 0 ? divide(rest, first) : record(rest))
  return recorded
}

/** The tenants of events that do not exist, in one look. */
async function missingTenants(ctx: RecordNeeds, events: Event[], withinMs?: number): Promise<string[]> {
  const ids = [...new Set(events.map(({ tenantId }) => tenantId))]
  const rows = await query<{ id: string }>(ctx.database, loadSql('queries/tenant_missing'), [ids], withinMs)
  return rows.map(({ id }) => id)
}

/** Each tenant's events together. */
const sorted = (events: Event[]): Event[] =>
  events.toSorted((a, b) => (a.tenantId < b.tenantId ? -1 : a.tenantId > b.tenantId ? 1 : 0))

/** Where one tenant's events end and another's begin, as near to the middle as can be. */
function tenantBoundary(slice: Event[]): number {
  const middle = slice.length / 2
  let best = 0
  for (let i = 1; i < slice.length; i++)
    if (slice[i]!.tenantId !== slice[i - 1]!.tenantId && Math.abs(i - middle) < Math.abs(best - middle)) best = i
  return best
}

/** Those among the events whose ids were used for something else. A true repeat is none of them. */
async function findReused(ctx: RecordNeeds, events: Event[], withinMs?: number): Promise<Poison[]> {
  const models = events.map(({ detail }) => detail?.model ?? null)
  const users = events.map(({ detail }) => detail?.user ?? null)
  const args = [...toArrays(events).slice(0, 4), models, users]
  const rows = await query<{ position: number }>(ctx.database, loadSql('queries/event_conflicts'), args, withinMs)
  const reason = 'the id belongs to an event that was recorded with another feature, model or user, or other tokens'
  return rows.map(({ position }) => ({ event: events[position - 1]!, sqlstate: ID_REUSED, reason }))
}

async function call(ctx: RecordNeeds, events: Event[], withinMs?: number): Promise<Recorded> {
  const end = ctx.metrics.recordSeconds.startTimer()
  try {
    const rows = await queryAgain<CounterRow>(
      ctx.database,
      loadSql('queries/record_events'),
      [...toArrays(events), await toDetails(events)],
      withinMs,
    )
    const monthly = rows.filter((row) => row.quota_id === row.tenant_id) // which counts every event of its tenant
    const oldest = events.reduce((min, event) => Math.min(min, event.receivedAt), Infinity)
    for (const row of monthly) ctx.changes.recorded(row.tenant_id, row.recorded_events, row.recorded_tokens, oldest)
    const recorded = monthly.reduce((sum, row) => sum + row.recorded_events, 0)
    ctx.metrics.recordEvents.observe(events.length)
    ctx.metrics.recorded.inc(recorded)
    ctx.metrics.duplicates.inc(events.length - recorded)
    ctx.metrics.crossings.inc(rows.reduce((sum, row) => sum + row.crossed.length, 0))
    ctx.metrics.remainder.inc(monthly.reduce((sum, row) => sum + row.remainder_events, 0))
    ctx.metrics.unpriced.inc(monthly.reduce((sum, row) => sum + row.unpriced_events, 0))
    const counters = rows.map((row) => ({
      tenantId: row.tenant_id,
      quotaId: row.quota_id,
      feature: row.feature,
      model: row.model,
      user: row.user_id === '' ? null : row.user_id,
      hard: row.hard,
      periodStart: row.period_start,
      periodEnd: row.period_end,
      tokenLimit: row.token_limit,
      used: row.used,
      crossed: row.crossed,
    }))
    const poison = recorded < events.length ? await findReused(ctx, events, withinMs) : []
    ctx.metrics.reusedIds.inc(poison.length)
    return { counters, poison }
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
