// What moves counters, and the expected results: the model that quota_model.test.ts compares the database with.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../lib/context.ts'
import { type Database, openDatabase } from '../lib/store/connection.ts'
import type { Wanted, openReservations } from '../lib/quota/reserve.ts'

export const FEATURES = ['a', 'b']
export const PERIODS = ['hour', 'day', 'week', 'month'] as const
export const HOUR = 3_600_000
export const DAY = 24 * HOUR
export const uuid = () => crypto.randomUUID()

/** The start of a period in UTC: all that the model knows about time. */
export function periodStart(period: (typeof PERIODS)[number], at: number): number {
  const date = new Date(at)
  if (period === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
  const day = at - (at % DAY)
  return { hour: at - (at % HOUR), day, week: day - ((date.getUTCDay() + 6) % 7) * DAY }[period]
}

export interface ModelQuota {
  id: string
  feature: string | undefined
  period: (typeof PERIODS)[number]
  limit: number
  hard: boolean
  countsFrom: number
}
export interface Hold extends Wanted {
  /** As in the database. expired: still held; gone: pruned, or replaced by a newer hold of its key. */
  status: 'held' | 'expired' | 'settled' | 'released' | 'lapsed' | 'gone'
  /** What its settlement counted. */
  settled?: number
}
export interface Model {
  now: number
  quotas: ModelQuota[]
  events: { feature: string; tokens: number; at: number }[]
  holds: Hold[]
}
export interface Real {
  ctx: Pick<Context, 'database' | 'metrics' | 'changes'>
  reservations: ReturnType<typeof openReservations>
  /** With Valkey, an expired hold lapses only when the worker checks. */
  withValkey: boolean
  open: (database: Database) => ReturnType<typeof openReservations>
  databaseUrl: string
  tenantId: string
}

/** Tokens of a quota, used and held, in the period that contains `at`. */
export function tally({ events, holds }: Model, quota: ModelQuota, at: number): [used: number, held: number] {
  const start = periodStart(quota.period, at)
  const counts = (feature: string, moment: number) =>
    (quota.feature ?? feature) === feature && moment >= quota.countsFrom && periodStart(quota.period, moment) === start
  return [
    events.filter((event) => counts(event.feature, event.at)).reduce((sum, { tokens }) => sum + tokens, 0),
    holds
      .filter((hold) => isHeld(hold) && counts(hold.feature, hold.createdAt))
      .reduce((sum, { tokens }) => sum + tokens, 0),
  ]
}

export const isHeld = ({ status }: Hold) => status === 'held' || status === 'expired'

export const lapse = (model: Model) =>
  model.holds.filter(({ status }) => status === 'expired').forEach((hold) => (hold.status = 'lapsed'))

/** Asks for a reservation and checks the answer. */
export async function ask(model: Model, real: Real, wanted: Wanted): Promise<void> {
  if (!real.withValkey) lapse(model)
  const last = model.holds.findLast(({ key, status }) => key !== undefined && key === wanted.key && status !== 'gone')
  const answer = (await real.reservations.reserve(wanted))!
  if (last && (isHeld(last) || last.status === 'settled')) {
    const isOther = last.feature !== wanted.feature || last.tokens !== wanted.tokens
    assert.ok(answer.granted)
    assert.deepEqual([answer.id, answer.createdAt, answer.isOther], [last.id, last.createdAt, isOther])
    if (last.status === 'expired') last.status = 'held' // prolonged
    return
  }
  assert.deepEqual([answer.granted, answer.isOther], [fits(model, wanted.feature, wanted.tokens), false])
  if (!answer.granted) return
  if (last) last.status = 'gone'
  model.holds.push({ ...wanted, id: answer.id, status: 'held' })
}

export function fits(model: Model, feature: string, tokens: number): boolean {
  return model.quotas.every((quota) => {
    const [used, held] = tally(model, quota, model.now)
    return !quota.hard || (quota.feature ?? feature) !== feature || used + held + tokens <= quota.limit
  })
}

/** Every counter must match the model, and none may be missing. */
export async function compare(model: Model, { ctx, tenantId }: Real): Promise<void> {
  const rows = await ctx.database<{ quota_id: string; at: number; total: number; reserved: number }[]>`
    select quota_id, extract(epoch
      from period_start)::float8 * 1000 as at, total_tokens as total, reserved_tokens as reserved
    from usage_periods where tenant_id = ${tenantId} and (total_tokens, reserved_tokens) <> (0, 0)`
  const found = rows.map((row) => `${row.quota_id} ${row.at} ${row.total} ${row.reserved}`).toSorted()
  const expected = new Set<string>()
  for (const quota of model.quotas)
    for (const at of [...model.events.map((event) => event.at), ...model.holds.map((hold) => hold.createdAt)]) {
      const [used, held] = tally(model, quota, at)
      if (used + held > 0) expected.add(`${quota.id} ${periodStart(quota.period, at)} ${used} ${held}`)
    }
  assert.deepEqual(found, [...expected].toSorted())
}

/** Does the work on its own connection, which is cut meanwhile: whether it took effect is unknown. */
export async function cut(
  { ctx, databaseUrl }: Real,
  work: (database: Database) => Promise<unknown>,
  delayMs: number,
): Promise<void> {
  const victim = openDatabase({ databaseUrl, databasePoolSize: 1 })
  const [row] = await victim<{ pid: number }[]>`select pg_backend_pid() as pid`
  work(victim).catch(() => {})
  if (delayMs > 0) await sleep(delayMs)
  await ctx.database`select pg_terminate_backend(${row!.pid}, 1000)`
  await victim.end({ timeout: 0 })
}
