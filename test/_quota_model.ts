// What moves counters, and the expected results: the model that quota_model.test.ts compares the database with.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../lib/context.ts'
import { type Database, openDatabase } from '../lib/store/connection.ts'
import type { Wanted, openReservations } from '../lib/quota/reserve.ts'

export const FEATURES = ['a', 'b']
/** Of these, only the first has a price: what a token of it costs, in nano-dollars, whatever kind it is. */
export const MODELS = ['priced', 'unpriced']
export const NANOS_PER_TOKEN = 1000
export const USERS = ['u', 'v']
export const METRICS = ['tokens', 'requests', 'cost'] as const
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

/** What is known of a call. */
export interface Call {
  feature: string
  model?: string | undefined
  user?: string | undefined
}

export interface ModelQuota {
  id: string
  feature: string | undefined
  model?: string | undefined
  metric: (typeof METRICS)[number]
  perUser: boolean
  /** Own limits of users. */
  exceptions: Map<string, number>
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
  events: (Call & { tokens: number; at: number })[]
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

/** Whether a quota counts a call. */
export const counts = (quota: ModelQuota, call: Call): boolean =>
  (quota.feature ?? call.feature) === call.feature &&
  (quota.model === undefined || quota.model === call.model) &&
  (!quota.perUser || call.user !== undefined)

/** What a call takes of a quota; undefined: its cost is unknown. */
export const takes = ({ metric }: ModelQuota, { model, tokens }: Call & { tokens: number }): number | undefined => {
  if (metric === 'cost') return model === MODELS[0] ? tokens * NANOS_PER_TOKEN : undefined
  return metric === 'tokens' ? tokens : 1
}

/** Used and held of a quota, in the period that contains `at`; of a quota per user, by that user. */
export function tally(
  { events, holds }: Model,
  quota: ModelQuota,
  at: number,
  user: string | undefined,
): [used: number, held: number] {
  const start = periodStart(quota.period, at)
  const isCounted = (call: Call, moment: number) =>
    counts(quota, call) &&
    (!quota.perUser || call.user === user) &&
    moment >= quota.countsFrom &&
    periodStart(quota.period, moment) === start
  return [
    events.filter((event) => isCounted(event, event.at)).reduce((sum, event) => sum + (takes(quota, event) ?? 0), 0),
    holds
      .filter((hold) => isHeld(hold) && isCounted(hold, hold.createdAt))
      .reduce((sum, hold) => sum + (takes(quota, hold) ?? 0), 0),
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
    const isOther = (['feature', 'model', 'user', 'tokens'] as const).some((name) => last[name] !== wanted[name])
    assert.ok(answer.granted)
    assert.deepEqual([answer.id, answer.createdAt, answer.isOther], [last.id, last.createdAt, isOther])
    if (last.status === 'expired') last.status = 'held' // prolonged
    return
  }
  assert.deepEqual([answer.granted, answer.isOther], [fits(model, wanted), false])
  if (!answer.granted) return
  if (last) last.status = 'gone'
  model.holds.push({ ...wanted, id: answer.id, status: 'held' })
}

export function fits(model: Model, call: Call & { tokens: number }): boolean {
  return model.quotas.every((quota) => {
    if (!quota.hard || !counts(quota, call)) return true
    const [used, held] = tally(model, quota, model.now, call.user)
    const limit = (quota.perUser && quota.exceptions.get(call.user!)) || quota.limit
    const taken = takes(quota, call)
    return taken !== undefined && used + held + taken <= limit
  })
}

/** Every counter must match the model, and none may be missing. */
export async function compare(model: Model, { ctx, tenantId }: Real): Promise<void> {
  const rows = await ctx.database<{ quota_id: string; at: number; user: string; total: number; reserved: number }[]>`
    select u.quota_id, extract(epoch from u.period_start)::float8 * 1000 as at, u.user_id as user,
           in_metric(q.metric, u.total_tokens, u.event_count, u.cost_nanos) as total, u.reserved_tokens as reserved
    from usage_periods u join tenant_quotas q using (tenant_id, quota_id)
    where u.tenant_id = ${tenantId}
      and (in_metric(q.metric, u.total_tokens, u.event_count, u.cost_nanos), u.reserved_tokens) <> (0, 0)`
  const found = rows.map((row) => `${row.quota_id} ${row.at} ${row.user} ${row.total} ${row.reserved}`).toSorted()
  const expected = new Set<string>()
  for (const quota of model.quotas)
    for (const { at, user } of [...model.events, ...model.holds.map((hold) => ({ ...hold, at: hold.createdAt }))]) {
      if (quota.perUser && user === undefined) continue
      const [used, held] = tally(model, quota, at, user)
      const name = `${quota.id} ${periodStart(quota.period, at)} ${quota.perUser ? user : ''}`
      if (used + held > 0) expected.add(`${name} ${used} ${held}`)
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
