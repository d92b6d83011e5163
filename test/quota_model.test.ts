// Random sequences of everything that moves counters, against a model of a few lines. FLAGMETER_RUNS sets how many;
// FLAGMETER_SEED and FLAGMETER_PATH, as fast-check prints them, repeat a failure.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import type { Database } from '../lib/store/connection.ts'
import { ownId } from '../lib/events/event_id.ts'
import { createQuota, deleteQuota, updateQuota } from '../lib/admin/quotas.ts'
import { ID_REUSED, recordEvents } from '../lib/events/record.ts'
import { reservationKey } from '../lib/quota/reservation.ts'
import { type Wanted, openReservations } from '../lib/quota/reserve.ts'
import { openMetrics } from '../lib/metrics/metrics.ts'
import { createContext } from './_context.ts'
import { countOf } from './_counts.ts'
import {
  DAY,
  FEATURES,
  HOUR,
  type Model,
  PERIODS,
  type Real,
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
const tokens = fc.integer({ min: 1, max: 60 })
const limit = fc.integer({ min: 20, max: 300 })
const keyName = fc.constantFrom(undefined, 'k1', 'k2', 'k3')
/** After how many milliseconds; undefined: nothing is killed. */
const kill = fc.oneof(
  { weight: 15, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }) },
)
const pick = fc.nat(50)
const nth = <T>(list: T[], n: number): T | undefined => list[n % (list.length || 1)]

const reserving = (model: Model, { tenantId }: Real, name: string, amount: number, key?: string): Wanted => ({
  tenantId,
  id: ownId('reservation'),
  ...(key !== undefined && { key: reservationKey(tenantId, key) }),
  feature: name,
  tokens: amount,
  createdAt: model.now,
  ttlSeconds: 3_600,
})

const commands = [
  fc.tuple(feature, tokens, keyName, kill).map(([name, amount, key, delayMs]): Step => [
    `reserve ${amount} ${name} with ${key ?? 'no key'}${delayMs === undefined ? '' : `, killed after ${delayMs} ms`}`,
    async (model, real) => {
      // Without a key, a retry that does not know what became of the first would hold twice.
      const wanted = reserving(model, real, name, amount, delayMs === undefined ? key : (key ?? uuid()))
      if (delayMs !== undefined)
        await cut(real, (database) => real.open(database).reserve({ ...wanted, id: ownId('reservation') }), delayMs)
      await ask(model, real, wanted)
    },
  ]),
  fc.tuple(feature, fc.array(tokens, { minLength: 2, maxLength: 8 })).map(([name, amounts]): Step => [
    `reserve ${amounts.join(', ')} ${name} at once`,
    async (model, real) => {
      const group = amounts.map((amount) => reserving(model, real, name, amount))
      const answers = await Promise.all(group.map((wanted) => real.reservations.reserve(wanted)))
      if (!real.withValkey) lapse(model)
      for (const [i, wanted] of group.entries()) {
        assert.equal(answers[i]!.granted, fits(model, name, wanted.tokens))
        if (answers[i]!.granted) model.holds.push({ ...wanted, status: 'held' })
      }
    },
  ]),
  pick.map((n): Step => [
    `reserve #${n} again by its key`,
    async (model, real) => {
      const { key, feature: name, tokens: amount } = nth(model.holds, n) ?? {}
      if (key === undefined) return
      await ask(model, real, { ...reserving(model, real, name!, amount!), key })
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
      const { poison } = await recordEvents(real.ctx, [event])
      // What is not refused counts, or has counted before.
      const isOther = hold.settled !== undefined && hold.settled !== amount
      assert.deepEqual(
        poison.map(({ sqlstate }) => sqlstate),
        isOther ? [ID_REUSED] : [],
      )
      if (hold.settled === undefined) model.events.push({ feature: hold.feature, tokens: amount, at: createdAt })
      hold.settled ??= amount
      if (isHeld(hold)) hold.status = 'settled'
    },
  ]),
  fc.tuple(pick, kill).map(([n, delayMs]): Step => [
    `release #${n}${delayMs === undefined ? '' : `, killed after ${delayMs} ms`}`,
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

test(`held and used tokens match a simple model, whatever happens in whatever order (${RUNS} runs)`, async () => {
  const base = await createContext({ DATABASE_POOL_SIZE: '8' })
  const seed = Number(process.env.FLAGMETER_SEED ?? Date.now() % 1_000_000_000)
  const shards = Array.from({ length: SHARDS }, async (_, shard) => {
    const ctx = { database: base.database, metrics: openMetrics(), changes: base.changes }
    const withValkey = shard % 2 === 1
    // Reserving only needs to know whether there is a Valkey.
    const open = (database: Database) => openReservations({ ...ctx, database, ...(withValkey && { valkey: {} }) })
    const setup = async (): Promise<{ model: Model; real: Real }> => {
      const [row] = await ctx.database<{ id: string }[]>`
          insert into tenants (name, monthly_quota) values (${uuid()}, 200) returning id`
      const tenantId = row!.id
      const monthly = { id: tenantId, feature: undefined, period: 'month', limit: 200, hard: true } as const
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
