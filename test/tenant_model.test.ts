// Random sequences of everything that uses a tenant's name or a key, on two servers with warm caches, against a model.
// FLAGMETER_RUNS sets how many; FLAGMETER_SEED and FLAGMETER_PATH, as fast-check prints them, repeat a failure.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { test } from 'vitest'
import lapse from '../handlers/lapse.ts'
import prune from '../handlers/prune.ts'
import { countOf } from './_counts.ts'
import { type Real, check, closeBooks, openReal } from './_tenant_books.ts'
import {
  type Ask,
  type Item,
  alive,
  look,
  make,
  release,
  remove,
  rename,
  report,
  reportAsReservation,
  reserve,
  reserveAgain,
  reserveAtOnce,
  settle,
  settleAndRelease,
  swap,
} from './_tenant_calls.ts'
import { GRACE_MS, type Model, type Ref, type Reservation, nameOf, nth, ownerOf } from './_tenant_model.ts'

const RUNS = countOf('RUNS', 16, 10_000)
/** Per mode: while one waits, the others work. */
const SHARDS = 4
const TENANTS = 3
const NAMES = 5
const never = new AbortController().signal

type Step = [text: string, run: (model: Model, real: Real) => Promise<void>]
const command = ([text, run]: Step): fc.AsyncCommand<Model, Real> => ({
  check: () => true,
  toString: () => text,
  async run(model, real) {
    await run(model, real)
    await check(model, real)
  },
})

/** Often the first of a list, so that one tenant, name or reservation goes through a lot. */
const pick = fc.oneof(fc.constant(0), fc.nat(20))
const server = fc.nat(1)
/** Present every other time. */
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 })
const key = maybe(fc.constantFrom('k1', 'k2'))
const tokens = fc.constantFrom(1, 10, 30, 60)
const ref: fc.Arbitrary<Ref> = fc.record({
  by: fc.constantFrom('name', 'name', 'own', 'own', 'id', 'nothing'),
  n: pick,
})
const ask: fc.Arbitrary<Ask> = fc.record({ server, by: maybe(pick), ref })
const caller = fc.record({ server, by: maybe(pick) })
/** Ids that could be confused with those derived from a key. */
const id = maybe(fc.constantFrom('k1', 'k1:0', 'reservation:k1'))
const item: fc.Arbitrary<Item> = fc.record({ ref, id, tokens: fc.integer({ min: 1, max: 3 }) })

const by = ({ server: at, by: n }: Omit<Ask, 'ref'>) =>
  `${n === undefined ? 'an unbound key' : `the key of #${n}`} at ${at}`
const named = ({ by: kind, n }: Ref) => (kind === 'nothing' ? 'without a tenant' : `for ${kind} #${n}`)
const keyed = (name: string | undefined) => (name === undefined ? '' : `, Idempotency-Key ${name}`)

/** What happens to names. */
const moves: fc.Arbitrary<Step>[] = [
  fc.tuple(server, pick, pick).map(([at, n, to]): Step => [
    `tenant #${n} is renamed to name #${to}`,
    async (model, real) => {
      const tenant = alive(model, n)
      if (tenant) await rename(model, real, at, tenant, nth(model.names, to)!)
    },
  ]),
  fc.tuple(server, pick, pick).map(([at, n, m]): Step => [
    `tenants #${n} and #${m} swap their names`,
    async (model, real) => {
      const [a, b] = [alive(model, n), alive(model, m)]
      if (a && b) await swap(model, real, at, a, b)
    },
  ]),
  fc.tuple(server, pick, fc.boolean()).map(([at, n, again]): Step => [
    `tenant #${n} is deleted${again ? ' and made again' : ''}`,
    async (model, real) => {
      const tenant = alive(model, n)
      if (!tenant) return
      const { text } = nameOf(model, tenant)!
      await remove(model, real, at, tenant)
      if (again) await make(model, real, at, text)
    },
  ]),
  fc.tuple(server, pick).map(([at, n]): Step => [
    `a tenant is made with name #${n}`,
    async (model, real) => {
      const name = nth(model.names, n)!
      if (!ownerOf(name)) await make(model, real, at, name.text)
    },
  ]),
]
const meanwhile = maybe(fc.oneof(...moves))

/** A step for the n-th newest reservation, if there is one. */
const ofReservation =
  (n: number, run: (reservation: Reservation, model: Model, real: Real) => Promise<void>): Step[1] =>
  async (model, real) => {
    const reservation = nth(model.reservations.toReversed(), n)
    if (reservation) await run(reservation, model, real)
  }

const expire = async (one: Reservation, _: Model, { ctx }: Real): Promise<void> => {
  await ctx.database`update reservations set expires_at = now() - interval '1 second'
    where id = ${one.id} and status = 'held'`
  if (one.state === 'held') one.state = 'expired'
}
const lapseAll: Step[1] = async (_, { ctx }) => {
  await lapse.consume(ctx, never)
  const left = await ctx.database`select from reservations where status = 'held' and expires_at <= now()`
  assert.equal(left.length, 0)
}
/** Ended reservations reach the end of their retention; the events of deleted tenants are pruned. */
const forget: Step[1] = async ({ tenants }, { ctx }) => {
  await ctx.database`update reservations set expires_at = expires_at - interval '100 days' where status <> 'held'`
  await prune.consume(ctx, never)
  for (const { keys } of tenants)
    for (const [name, { state }] of keys) if (state !== 'held' && state !== 'expired') keys.delete(name)
}

/** Makes a step twice as likely. */
const twice = <T>(one: T): T[] => [one, one]

const commands = [
  ...moves,
  fc.tuple(caller, item, key, meanwhile).map(([who, one, idempotencyKey, other]): Step => [
    `an event ${named(one.ref)} by ${by(who)}, ${one.tokens}, id ${one.id}${keyed(idempotencyKey)}` +
      (other ? `, while ${other[0]}` : ''),
    async (model, real) => {
      const options = { idempotencyKey: one.id ?? idempotencyKey, isBatch: false }
      await report(model, real, who, [one], options, other?.[1])
    },
  ]),
  fc
    .tuple(caller, fc.array(item, { minLength: 1, maxLength: 5 }), key, meanwhile)
    .map(([who, items, idempotencyKey, other]): Step => [
      `${items.length} events ${items.map((one) => `${named(one.ref)} (${one.tokens}, id ${one.id})`).join()} ` +
        `by ${by(who)}${keyed(idempotencyKey)}${other ? `, while ${other[0]}` : ''}`,
      (model, real) => report(model, real, who, items, { idempotencyKey, isBatch: true }, other?.[1]),
    ]),
  fc
    .tuple(ask, tokens)
    .map(([asked, amount]): Step => [
      `check ${amount} and usage ${named(asked.ref)} by ${by(asked)}`,
      (model, real) => look(model, real, asked, amount),
    ]),
  ...twice(
    fc
      .tuple(ask, tokens, key)
      .map(([asked, amount, idempotencyKey]): Step => [
        `reserve ${amount} ${named(asked.ref)} by ${by(asked)}${keyed(idempotencyKey)}`,
        (model, real) => reserve(model, real, asked, amount, idempotencyKey),
      ]),
  ),
  ...twice(
    fc
      .tuple(server, pick)
      .map(([at, n]): Step => [
        `reserve #${n} again at ${at}, if it has a key`,
        ofReservation(n, (one, model, real) => reserveAgain(model, real, at, one)),
      ]),
  ),
  fc.tuple(pick, fc.array(tokens, { minLength: 2, maxLength: 6 }), key).map(([n, amounts, idempotencyKey]): Step => [
    `reserve ${amounts.join(', ')} of tenant #${n} at once${keyed(idempotencyKey)}`,
    async (model, real) => {
      const tenant = alive(model, n)
      if (tenant) await reserveAtOnce(model, real, tenant, amounts, idempotencyKey)
    },
  ]),
  ...twice(
    fc
      .tuple(caller, pick, tokens)
      .map(([who, n, most]): Step => [
        `settle #${n} with ${most} by ${by(who)}`,
        ofReservation(n, (one, model, real) => settle(model, real, who, one, most)),
      ]),
  ),
  ...twice(
    fc
      .tuple(caller, pick)
      .map(([who, n]): Step => [
        `release #${n} by ${by(who)}`,
        ofReservation(n, (one, model, real) => release(model, real, who, one)),
      ]),
  ),
  fc
    .tuple(server, pick)
    .map(([at, n]): Step => [
      `settle and release #${n} at once`,
      ofReservation(n, (one, model, real) => settleAndRelease(model, real, at, one)),
    ]),
  fc
    .tuple(server, pick)
    .map(([at, n]): Step => [
      `an event with the id of #${n}`,
      ofReservation(n, (one, _, real) => reportAsReservation(real, at, one)),
    ]),
  pick.map((n): Step => [`#${n} expires`, ofReservation(n, expire)]),
  fc.constant<Step>(['what has expired lapses', lapseAll]),
  fc.constant<Step>(['what ended is forgotten', forget]),
  fc
    .tuple(server, pick, tokens, fc.constantFrom('settles', 'releases', 'lapses', 'keeps'), fc.boolean())
    .map(([at, n, amount, end, isForgotten]): Step => [
      `tenant #${n} reserves ${amount} with the key k3 at ${at}, ${end} it, ` +
        `${isForgotten ? 'is forgotten, ' : ''}and asks again`,
      async (model, real) => {
        const asked = { server: at, by: undefined, ref: { by: 'id', n } } as const
        const run = async (step: Step[1]) => {
          await step(model, real)
          await check(model, real)
        }
        const known = model.reservations.length
        await run(() => reserve(model, real, asked, amount, 'k3'))
        if (model.reservations.length === known) return
        if (end === 'settles') await run(ofReservation(0, (one) => settle(model, real, asked, one, amount)))
        if (end === 'releases') await run(ofReservation(0, (one) => release(model, real, asked, one)))
        if (end === 'lapses') await run(ofReservation(0, expire)).then(() => run(lapseAll))
        if (isForgotten) await run(forget)
        await run(ofReservation(0, (one) => reserveAgain(model, real, 1 - at, one)))
        await run(ofReservation(0, (one) => settle(model, real, asked, one, amount)))
      },
    ]),
  fc.constant<Step>(['a second later', () => sleep(GRACE_MS + 50)]),
  fc
    .boolean()
    .map((isAway): Step => [
      `the worker ${isAway ? 'goes away' : 'comes back'}`,
      async (model) => void (model.workerIsAway = isAway),
    ]),
].map((steps) => steps.map(command))

async function setUp(real: Real): Promise<Model> {
  const run = randomUUID().slice(0, 8)
  const names = Array.from({ length: NAMES }, (_, n) => ({
    text: `${run}-${n}`,
    owners: [{ tenant: undefined, from: -Infinity, until: Infinity }],
  }))
  const model: Model = { names, tenants: [], reservations: [], acknowledged: [], reused: [], workerIsAway: false }
  for (const { text } of names.slice(0, TENANTS)) await make(model, real, 0, text)
  return model
}

async function shard(hasStream: boolean, seed: number): Promise<void> {
  const real = await openReal(hasStream)
  const steps = fc.commands(commands, { size: 'max', maxCommands: 40 })
  const property = fc.asyncProperty(steps, async (given) => {
    const model = await setUp(real)
    await fc.asyncModelRun(() => ({ model, real }), given)
    model.workerIsAway = false
    await check(model, real)
  })
  const path = process.env.FLAGMETER_PATH
  await fc.assert(property, { numRuns: Math.ceil(RUNS / SHARDS / 2), seed, ...(path && { path }) })
  await closeBooks(real)
}

test(`everything reaches the intended tenant, and counts once and within its limits (${RUNS} runs)`, async () => {
  const seed = Number(process.env.FLAGMETER_SEED ?? Date.now() % 1_000_000_000)
  const modes = Array.from({ length: SHARDS * 2 }, (_, n) => n % 2 === 1)
  await Promise.all(modes.map((hasStream, n) => shard(hasStream, seed + n)))
}, 3_600_000)
