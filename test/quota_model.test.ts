// Random sequences of everything that moves counters, against a model of a few lines. FLAGMETER_RUNS sets how many;
// FLAGMETER_SEED and FLAGMETER_PATH, as fast-check prints them, repeat a failure.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import type { Database } from '../lib/store/connection.ts'
import { ownId } from '../lib/events/event_id.ts'
import { deleteException, setException } from '../lib/admin/quota_exceptions.ts'
import { createQuota, deleteQuota, updateQuota } from '../lib/admin/quotas.ts'
import { setPrices } from '../lib/prices/prices.ts'
import { showLimit } from '../lib/quota/limit.ts'
import { ID_REUSED, recordEvents } from '../lib/events/record.ts'
import { reservationKey } from '../lib/quota/reservation.ts'
import { type Wanted, openReservations } from '../lib/quota/reserve.ts'
import { openMetrics } from '../lib/metrics/metrics.ts'
import { createContext } from './_context.ts'
import { countOf } from './_counts.ts'
import {
  type Call,
  DAY,
  FEATURES,
  HOUR,
  METRICS,
  MODELS,
  type Model,
  type ModelQuota,
  NANOS_PER_TOKEN,
  PERIODS,
  type Real,
  USERS,
  ask,
  compare,
  cut,
  fits,
  isHeld,
  lapse,
  periodStart,
  uuid,
} from './_quota_model.ts'

const RUNS = countOf('RUNS', 60, 10_000)
const SHARDS = 4

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
/** Most calls say a model and a user. */
const call = fc
  .tuple(feature, fc.constantFrom(undefined, ...MODELS, MODELS[0]), fc.constantFrom(undefined, ...USERS))
  .map(([name, model, user]): Call => ({ feature: name, ...(model && { model }), ...(user && { user }) }))
const inWords = ({ feature: name, model = 'no model', user = 'nobody' }: Call) => `${name} of ${model} by ${user}`
const tokens = fc.integer({ min: 1, max: 60 })
const limit = fc.integer({ min: 20, max: 300 })
const keyName = fc.constantFrom(undefined, 'k1', 'k2', 'k3')
/** After how many milliseconds; undefined: nothing is killed. */
const kill = fc.oneof(
  { weight: 15, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }) },
)
const killed = (delayMs: number | undefined) => (delayMs === undefined ? '' : `, killed after ${delayMs} ms`)
const pick = fc.nat(50)
const nth = <T>(list: T[], n: number): T | undefined => list[n % (list.length || 1)]

/** Whether another quota, the monthly one apart, is the same: then this one is refused. */
function hasEqual(
  model: Model,
  tenantId: string,
  wanted: Omit<ModelQuota, 'id' | 'exceptions' | 'countsFrom'> & { id?: string },
) {
  const names = ['feature', 'model', 'metric', 'perUser', 'period', 'limit', 'hard'] as const
  return model.quotas.some(
    (quota) => ![tenantId, wanted.id].includes(quota.id) && names.every((name) => quota[name] === wanted[name]),
  )
}

/** A limit that calls of up to 60 tokens reach, in what the quota counts. */
const inUnits = (metric: ModelQuota['metric'], amount: number): number =>
  ({ tokens: amount, requests: Math.ceil(amount / 20), cost: amount * NANOS_PER_TOKEN })[metric]

/** The event of a call, as it is recorded. */
function eventOf({ feature: name, model, user }: Call, amount: number) {
  const pools = { input: amount, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 }
  return { feature: name, tokens: amount, detail: { ...(model && { model }), ...(user && { user }), pools } }
}

const reserving = (model: Model, { tenantId }: Real, of: Call, amount: number, key?: string): Wanted => ({
  ...of,
  tenantId,
  id: ownId('reservation'),
  ...(key !== undefined && { key: reservationKey(tenantId, key) }),
  tokens: amount,
  createdAt: model.now,
  ttlSeconds: 3_600,
})

const commands = [
  fc.tuple(call, tokens, keyName, kill).map(([of, amount, key, delayMs]): Step => [
    `reserve ${amount} ${inWords(of)} with ${key ?? 'no key'}${killed(delayMs)}`,
    async (model, real) => {
      // Without a key, a retry that does not know what became of the first would hold twice.
      const wanted = reserving(model, real, of, amount, delayMs === undefined ? key : (key ?? uuid()))
      if (delayMs !== undefined)
        await cut(real, (database) => real.open(database).reserve({ ...wanted, id: ownId('reservation') }), delayMs)
      await ask(model, real, wanted)
    },
  ]),
  fc.tuple(call, fc.array(tokens, { minLength: 2, maxLength: 8 })).map(([of, amounts]): Step => [
    `reserve ${amounts.join(', ')} ${inWords(of)} at once`,
    async (model, real) => {
      const group = amounts.map((amount) => reserving(model, real, of, amount))
      const answers = await Promise.all(group.map((wanted) => real.reservations.reserve(wanted)))
      if (!real.withValkey) lapse(model)
      for (const [i, wanted] of group.entries()) {
        assert.equal(answers[i]!.granted, fits(model, wanted))
        if (answers[i]!.granted) model.holds.push({ ...wanted, status: 'held' })
      }
    },
  ]),
  pick.map((n): Step => [
    `reserve #${n} again by its key`,
    async (model, real) => {
      const hold = nth(model.holds, n)
      if (hold?.key === undefined) return
      const { feature: name, model: ofModel, user } = hold
      const of = { feature: name, ...(ofModel && { model: ofModel }), ...(user && { user }) }
      await ask(model, real, { ...reserving(model, real, of, hold.tokens), key: hold.key })
    },
  ]),
  pick.map((n): Step => [
    `forget #${n}`,
    async (model, { ctx }) => {
      const hold = nth(model.holds, n)
      if (!hold || isHeld(hold)) return
      await ctx.database`delete from reservations where id = ${hold.id}`
      hold.status = 'gone'
    },
  ]),
  fc.tuple(pick, tokens, kill).map(([n, amount, delayMs]): Step => [
    `settle #${n} with ${amount}${killed(delayMs)}`,
    async (model, real) => {
      const hold = nth(model.holds, n)
      if (!hold) return
      const { tenantId, id, createdAt } = hold
      const event = {
        tenantId,
        id,
        ...eventOf(hold, amount),
        createdAt,
        receivedAt: createdAt,
        settles: true,
      }
      if (delayMs !== undefined)
        await cut(real, (database) => recordEvents({ ...real.ctx, database }, [event]), delayMs)
      const { poison } = await recordEvents(real.ctx, [event])
      // What is not refused counts, or has counted before.
      const isOther = hold.settled !== undefined && hold.settled !== amount
      assert.deepEqual(
        poison.map(({ sqlstate }) => sqlstate),
        isOther ? [ID_REUSED] : [],
      )
      if (hold.settled === undefined)
        model.events.push({ feature: hold.feature, model: hold.model, user: hold.user, tokens: amount, at: createdAt })
      hold.settled ??= amount
      if (isHeld(hold)) hold.status = 'settled'
    },
  ]),
  fc.tuple(pick, kill).map(([n, delayMs]): Step => [
    `release #${n}${killed(delayMs)}`,
    async (model, real) => {
      const hold = nth(model.holds, n)
      if (!hold) return
      if (delayMs !== undefined) await cut(real, (database) => real.open(database).release(hold), delayMs)
      await real.reservations.release(hold)
      if (isHeld(hold)) hold.status = 'released'
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
    `lapse${killed(delayMs)}`,
    async (model, real) => {
      const run = (database: Database) => database`select lapse_reservations(1000, now(), ${[real.tenantId]})`
      if (delayMs !== undefined) await cut(real, run, delayMs)
      await run(real.ctx.database)
      lapse(model)
    },
  ]),
  fc.tuple(call, tokens, fc.integer({ min: 0, max: 40 })).map(([of, amount, hoursAgo]): Step => [
    `event ${amount} ${inWords(of)}, ${hoursAgo} hours late, twice`,
    async (model, { ctx, tenantId }) => {
      const at = model.now - hoursAgo * HOUR
      const event = { tenantId, id: uuid(), ...eventOf(of, amount), createdAt: at, receivedAt: model.now }
      await recordEvents(ctx, [event, event])
      await recordEvents(ctx, [event])
      model.events.push({ ...of, tokens: amount, at })
    },
  ]),
  fc
    .record({
      feature: fc.option(feature, { nil: undefined }),
      model: fc.option(fc.constantFrom(...MODELS), { nil: undefined, freq: 2 }),
      metric: fc.constantFrom(...METRICS),
      perUser: fc.boolean(),
      period: fc.constantFrom(...PERIODS),
      limit,
      hard: fc.boolean(),
    })
    .map(({ limit: amount, ...given }): Step => [
      `quota ${JSON.stringify({ ...given, amount })}`,
      async (model, { ctx, tenantId }) => {
        const wanted = { ...given, limit: inUnits(given.metric, amount) }
        const { feature: name, model: ofModel, period, hard, perUser } = wanted
        const settings = {
          ...(name && { feature: name }),
          ...(ofModel && { model: ofModel }),
          ...(perUser && { per: 'user' as const }),
          period,
          hard,
          ...showLimit(wanted.metric, wanted.limit),
        }
        if (hasEqual(model, tenantId, wanted)) {
          await assert.rejects(createQuota(ctx.database, 'test', tenantId, settings), { code: 'quota_exists' })
          return
        }
        // By model or per user, it counts from now on: so that the model may too, what came before is forgotten.
        const isFromNow = ofModel !== undefined || perUser
        if (isFromNow && (model.events.length > 0 || model.holds.length > 0)) return
        const { id } = await createQuota(ctx.database, 'test', tenantId, settings)
        const countsFrom = isFromNow ? -Infinity : periodStart(period, Date.now())
        model.quotas.push({ ...wanted, id, exceptions: new Map(), countsFrom })
      },
    ]),
  fc.tuple(pick, fc.constantFrom(...USERS), fc.option(limit, { nil: undefined })).map(([n, user, amount]): Step => [
    `the own limit of ${user} in quota #${n} is ${amount ?? 'none'}`,
    async (model, { ctx }) => {
      const quota = nth(model.quotas, n)!
      if (!quota.perUser) return
      const own = amount === undefined ? undefined : inUnits(quota.metric, amount)
      if (own !== undefined) {
        await setException(ctx.database, 'test', quota.id, user, showLimit(quota.metric, own))
        quota.exceptions.set(user, own)
      } else if (quota.exceptions.delete(user)) {
        await deleteException(ctx.database, 'test', quota.id, user)
      }
    },
  ]),
  fc.tuple(pick, limit, fc.boolean()).map(([n, amount, hard]): Step => [
    `quota #${n} is now ${hard ? 'hard' : 'soft'} and ${amount}`,
    async (model, { ctx, tenantId }) => {
      const quota = nth(model.quotas, n)!
      const tokenLimit = inUnits(quota.metric, amount)
      const limits = showLimit(quota.metric, tokenLimit)
      const isSame = quota.limit === tokenLimit && quota.hard === hard
      if (quota.id !== tenantId && !isSame && hasEqual(model, tenantId, { ...quota, limit: tokenLimit, hard })) {
        await assert.rejects(updateQuota(ctx.database, 'test', quota.id, { ...limits, hard }), {
          code: 'quota_exists',
        })
        return
      }
      Object.assign(quota, { limit: tokenLimit, hard })
      if (quota.id === tenantId)
        await ctx.database`select update_tenant(${tenantId}, null, ${tokenLimit}, ${hard}, null, null, null, null)`
      else await updateQuota(ctx.database, 'test', quota.id, { ...limits, hard })
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

test(`held and used tokens match a simple model, whatever happens in whatever order (${RUNS} runs)`, async () => {
  const base = await createContext({ DATABASE_POOL_SIZE: '8' })
  const seed = Number(process.env.FLAGMETER_SEED ?? Date.now() % 1_000_000_000)
  const rate = BigInt(NANOS_PER_TOKEN * 1_000_000)
  await setPrices(base.database, 'test', [{ model: MODELS[0]!, input: rate, output: rate }], 0)
  const shards = Array.from({ length: SHARDS }, async (_, shard) => {
    const ctx = { database: base.database, metrics: openMetrics(), changes: base.changes }
    const withValkey = shard % 2 === 1
    // Reserving only needs to know whether there is a Valkey.
    const open = (database: Database) => openReservations({ ...ctx, database, ...(withValkey && { valkey: {} }) })
    const setup = async (): Promise<{ model: Model; real: Real }> => {
      const [row] = await ctx.database<{ id: string }[]>`
          insert into tenants (name, monthly_quota) values (${uuid()}, 200) returning id`
      const tenantId = row!.id
      const counted = { feature: undefined, metric: 'tokens', perUser: false, period: 'month' } as const
      const monthly = { id: tenantId, ...counted, limit: 200, hard: true, exceptions: new Map<string, number>() }
      return {
        model: { now: Date.now(), quotas: [{ ...monthly, countsFrom: -Infinity }], events: [], holds: [] },
        real: { ctx, reservations: open(ctx.database), open, withValkey, databaseUrl: base.databaseUrl, tenantId },
      }
    }
    const steps = fc.commands(commands, { size: '+1', maxCommands: 40 })
    const property = fc.asyncProperty(steps, (given) => fc.asyncModelRun(setup, given))
    const path = process.env.FLAGMETER_PATH
    await fc.assert(property, { numRuns: Math.ceil(RUNS / SHARDS), seed: seed + shard, ...(path && { path }) })
  })
  await Promise.all(shards)
  const [stats] = await base.database`select deadlocks from pg_stat_database where datname = current_database()`
  assert.equal(stats!.deadlocks, 0)
}, 1_800_000)
