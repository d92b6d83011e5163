// Random sequences of everything that moves counters, against a model of a few lines. FLAGMETER_RUNS says how many (default 200),
// FLAGMETER_SEED and FLAGMETER_PATH repeat what fast-check has printed of a failure.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { test } from 'vitest'
import { type Database, openDatabase } from '../lib/database.ts'
import { createQuota, deleteQuota, updateQuota } from '../lib/quota_admin.ts'
import { recordEvents } from '../lib/record.ts'
import { type Wanted, openReservations } from '../lib/reservations.ts'
import type { Context } from '../lib/context.ts'
import { openMetrics } from '../lib/metrics.ts'
import { createContext } from './_context.ts'

const RUNS = Number(process.env.FLAGMETER_RUNS ?? 200)
const SHARDS = 4
const FEATURES = ['a', 'b']
const PERIODS = ['hour', 'day', 'week', 'month'] as const
const HOUR = 3_600_000
const DAY = 24 * HOUR
const uuid = () => crypto.randomUUID()

/** The start of a period in UTC: what the model knows of time. */
function periodStart(period: (typeof PERIODS)[number], at: number): number {
  const date = new Date(at)
  if (period === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth())
  const day = at - (at % DAY)
  return { hour: at - (at % HOUR), day, week: day - ((date.getUTCDay() + 6) % 7) * DAY }[period]
}

interface ModelQuota {
  id: string
  feature: string | undefined
  period: (typeof PERIODS)[number]
  limit: number
  hard: boolean
  countsFrom: number
}
interface Hold extends Wanted {
  status: 'held' | 'expired' | 'closed'
  settled: boolean
}
interface Model {
  now: number
  quotas: ModelQuota[]
  events: { feature: string; tokens: number; at: number }[]
  holds: Hold[]
}
interface Real {
  ctx: Pick<Context, 'database' | 'metrics' | 'changes'>
  reservations: ReturnType<typeof openReservations>
  databaseUrl: string
  tenantId: string
}

/** Tokens of a quota in the period of a moment: used, and held. */
function tally({ events, holds }: Model, quota: ModelQuota, at: number): [used: number, held: number] {
  const start = periodStart(quota.period, at)
  const counts = (feature: string, moment: number) =>
    (quota.feature ?? feature) === feature && moment >= quota.countsFrom && periodStart(quota.period, moment) === start
  return [
    events.filter((event) => counts(event.feature, event.at)).reduce((sum, { tokens }) => sum + tokens, 0),
    holds
      .filter((hold) => hold.status !== 'closed' && counts(hold.feature, hold.createdAt))
      .reduce((sum, { tokens }) => sum + tokens, 0),
  ]
}

const lapse = (model: Model) =>
  model.holds.filter(({ status }) => status === 'expired').forEach((hold) => (hold.status = 'closed'))

function fits(model: Model, feature: string, tokens: number): boolean {
  return model.quotas.every((quota) => {
    const [used, held] = tally(model, quota, model.now)
    return !quota.hard || (quota.feature ?? feature) !== feature || used + held + tokens <= quota.limit
  })
}

/** Every counter there is must be what the model says, and none may be missing. */
async function compare(model: Model, { ctx, tenantId }: Real): Promise<void> {
  const rows = await ctx.database<{ quota_id: string; at: number; total: number; reserved: number }[]>`
    select quota_id, extract(epoch from period_start)::float8 * 1000 as at, total_tokens as total, reserved_tokens as reserved
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

/** Does the work on a connection of its own that is cut while it works: with or without effect, nobody knows. */
async function cut(
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

type Step = [text: string, run: (model: Model, real: Real) => Promise<void>]
const command = ([text, run]: Step): fc.AsyncCommand<Model, Real> => ({
  check: () => true,
  toString: () => text,
  async run(model, real) {
    await run(model, real)
    await compare(model, real)
  },
})

const feature = fc.constantFrom(...FEATURES)
const tokens = fc.integer({ min: 1, max: 60 })
const limit = fc.integer({ min: 20, max: 300 })
/** After how many milliseconds; undefined: nothing is killed. */
const kill = fc.oneof(
  { weight: 15, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }) },
)
const pick = fc.nat(50)
const nth = <T>(list: T[], n: number): T | undefined => list[n % (list.length || 1)]

const reserving = (model: Model, { tenantId }: Real, name: string, amount: number): Wanted => ({
  tenantId,
  id: uuid(),
  feature: name,
  tokens: amount,
  createdAt: model.now,
  ttlSeconds: 3_600,
})

const commands = [
  fc.tuple(feature, tokens, kill).map(([name, amount, delayMs]): Step => [
    `reserve ${amount} ${name}${delayMs === undefined ? '' : `, killed after ${delayMs} ms`}`,
    async (model, real) => {
      const wanted = reserving(model, real, name, amount)
      if (delayMs !== undefined)
        await cut(real, (database) => openReservations({ ...real.ctx, database }).reserve(wanted), delayMs)
      lapse(model)
      const granted = fits(model, name, amount)
      const answer = await real.reservations.reserve(wanted)
      assert.equal(answer!.granted, granted)
      if (granted) model.holds.push({ ...wanted, status: 'held', settled: false })
    },
  ]),
  fc.tuple(feature, fc.array(tokens, { minLength: 2, maxLength: 8 })).map(([name, amounts]): Step => [
    `reserve ${amounts.join(', ')} ${name} at once`,
    async (model, real) => {
      const group = amounts.map((amount) => reserving(model, real, name, amount))
      const answers = await Promise.all(group.map((wanted) => real.reservations.reserve(wanted)))
      lapse(model)
      for (const [i, wanted] of group.entries()) {
        assert.equal(answers[i]!.granted, fits(model, name, wanted.tokens))
        if (answers[i]!.granted) model.holds.push({ ...wanted, status: 'held', settled: false })
      }
    },
  ]),
  pick.map((n): Step => [
    `reserve #${n} again`,
    async (model, real) => {
      const hold = nth(model.holds, n)
      if (!hold) return
      const answer = await real.reservations.reserve(hold)
      lapse(model)
      assert.deepEqual([answer!.granted, answer!.isOther], [true, false])
    },
  ]),
  fc.tuple(pick, tokens, kill).map(([n, amount, delayMs]): Step => [
    `settle #${n} with ${amount}${delayMs === undefined ? '' : `, killed after ${delayMs} ms`}`,
    async (model, real) => {
      const hold = nth(model.holds, n)
      if (!hold) return
      const { tenantId, id, createdAt } = hold
      const event = {
        tenantId,
        id,
        feature: hold.feature,
        tokens: amount,
        createdAt,
        receivedAt: createdAt,
        settles: true,
      }
      if (delayMs !== undefined)
        await cut(real, (database) => recordEvents({ ...real.ctx, database }, [event]), delayMs)
      assert.deepEqual((await recordEvents(real.ctx, [event])).poison, [])
      if (!hold.settled) model.events.push({ feature: hold.feature, tokens: amount, at: createdAt })
      Object.assign(hold, { status: 'closed', settled: true })
    },
  ]),
  fc.tuple(pick, kill).map(([n, delayMs]): Step => [
    `release #${n}${delayMs === undefined ? '' : `, killed after ${delayMs} ms`}`,
    async (model, real) => {
      const hold = nth(model.holds, n)
      if (!hold) return
      if (delayMs !== undefined)
        await cut(real, (database) => openReservations({ ...real.ctx, database }).release(hold), delayMs)
      await real.reservations.release(hold)
      hold.status = 'closed'
    },
  ]),
  pick.map((n): Step => [
    `expire #${n}`,
    async (model, { ctx }) => {
      const hold = nth(model.holds, n)
      if (!hold) return
      await ctx.database`update reservations set expires_at = now() - interval '1 second' where id = ${hold.id}`
      if (hold.status === 'held') hold.status = 'expired'
    },
  ]),
  kill.map((delayMs): Step => [
    `lapse${delayMs === undefined ? '' : `, killed after ${delayMs} ms`}`,
    async (model, real) => {
      const run = (database: Database) => database`select lapse_reservations(1000, now(), ${[real.tenantId]})`
      if (delayMs !== undefined) await cut(real, run, delayMs)
      await run(real.ctx.database)
      lapse(model)
    },
  ]),
  fc.tuple(feature, tokens, fc.integer({ min: 0, max: 40 })).map(([name, amount, hoursAgo]): Step => [
    `event ${amount} ${name}, ${hoursAgo} hours late, twice`,
    async (model, { ctx, tenantId }) => {
      const at = model.now - hoursAgo * HOUR
      const event = { tenantId, id: uuid(), feature: name, tokens: amount, createdAt: at, receivedAt: model.now }
      await recordEvents(ctx, [event, event])
      await recordEvents(ctx, [event])
      model.events.push({ feature: name, tokens: amount, at })
    },
  ]),
  fc
    .tuple(fc.option(feature, { nil: undefined }), fc.constantFrom(...PERIODS), limit, fc.boolean())
    .map(([name, period, tokenLimit, hard]): Step => [
      `${hard ? 'hard' : 'soft'} quota of ${tokenLimit} ${name ?? 'tokens'} per ${period}`,
      async (model, { ctx, tenantId }) => {
        const settings = { ...(name && { feature: name }), period, tokenLimit, hard }
        const { id } = await createQuota(ctx.database, 'test', tenantId, settings)
        const countsFrom = periodStart(period, Date.now())
        model.quotas.push({ id, feature: name, period, limit: tokenLimit, hard, countsFrom })
      },
    ]),
  fc.tuple(pick, limit, fc.boolean()).map(([n, tokenLimit, hard]): Step => [
    `quota #${n} is now ${hard ? 'hard' : 'soft'} and ${tokenLimit}`,
    async (model, { ctx, tenantId }) => {
      const quota = nth(model.quotas, n)!
      Object.assign(quota, { limit: tokenLimit, hard })
      if (quota.id === tenantId)
        await ctx.database`select update_tenant(${tenantId}, null, ${tokenLimit}, ${hard}, null, null, null, null)`
      else await updateQuota(ctx.database, 'test', quota.id, { tokenLimit, hard })
    },
  ]),
  pick.map((n): Step => [
    `quota #${n} is deleted`,
    async (model, { ctx, tenantId }) => {
      const quota = nth(model.quotas, n)!
      if (quota.id === tenantId) return
      model.quotas.splice(model.quotas.indexOf(quota), 1)
      await deleteQuota(ctx.database, 'test', quota.id)
    },
  ]),
  fc.constantFrom(20 * 60_000, HOUR, DAY, 8 * DAY, 32 * DAY).map((ms): Step => [
    `${ms / 60_000} minutes later`,
    async (model) => {
      model.now += ms
    },
  ]),
].map((steps) => steps.map(command))

test(`held plus used is what a simple model says, whatever happens in whatever order (${RUNS} runs)`, async () => {
  const base = await createContext({ DATABASE_POOL_SIZE: '8' })
  const seed = Number(process.env.FLAGMETER_SEED ?? Date.now() % 1_000_000_000)
  const shards = Array.from({ length: SHARDS }, async (_, shard) => {
    const ctx = { database: base.database, metrics: openMetrics(), changes: base.changes }
    const setup = async (): Promise<{ model: Model; real: Real }> => {
      const [row] = await ctx.database<{ id: string }[]>`
          insert into tenants (name, monthly_quota) values (${uuid()}, 200) returning id`
      const tenantId = row!.id
      const monthly = { id: tenantId, feature: undefined, period: 'month', limit: 200, hard: true } as const
      return {
        model: { now: Date.now(), quotas: [{ ...monthly, countsFrom: -Infinity }], events: [], holds: [] },
        real: { ctx, reservations: openReservations(ctx), databaseUrl: base.databaseUrl, tenantId },
      }
    }
    const steps = fc.commands(commands, { size: '+1', maxCommands: 40 })
    const property = fc.asyncProperty(steps, (given) => fc.asyncModelRun(setup, given))
    const path = process.env.FLAGMETER_PATH
    await fc.assert(property, { numRuns: Math.ceil(RUNS / SHARDS), seed: seed + shard, ...(path && { path }) })
  })
  await Promise.all(shards)
}, 1_800_000)
