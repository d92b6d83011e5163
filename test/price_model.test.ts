// Random sequences of events, prices and repricing, against a model of a few lines. FLAGMETER_RUNS sets how many;
// FLAGMETER_SEED and FLAGMETER_PATH, as fast-check prints them, repeat a failure.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { verify } from '../cli/verify.ts'
import { recordEvents } from '../lib/events/record.ts'
import { formatDollars } from '../lib/prices/money.ts'
import { deletePrice, setPrices } from '../lib/prices/prices.ts'
import { repriceStep } from '../lib/prices/reprice.ts'
import { readUsageBy } from '../lib/usage/usage_by.ts'
import { type TestServer, createContext } from './_context.ts'
import { countOf } from './_counts.ts'

const RUNS = countOf('RUNS', 25, 2_000)
const MINUTE = 60_000
const NANOS = 1_000_000_000

interface Pools {
  input: number
  cacheRead: number
  cacheWrite: number
  output: number
  reasoning: number
}
interface ModelEvent {
  feature: string
  model?: string
  user?: string
  team?: string
  pools?: Pools
  tokens: number
  /** As its sender has said it, in nano-dollars. */
  said?: bigint
  at: number
  /** Undefined: unknown. */
  cost?: bigint
}
interface ModelPrice {
  id: string
  name: string
  from: number
  /** Dollars per million: input and output. */
  rates: [number, number]
}
interface Model {
  events: ModelEvent[]
  prices: ModelPrice[]
}
interface Real {
  ctx: Pick<TestServer['ctx'], 'database' | 'metrics' | 'changes'>
  tenantId: string
  now: number
}

/** The price in force at a time: a name before a beginning, a longer before a shorter, a later before an earlier. */
function priceAt({ prices }: Model, model: string, at: number): ModelPrice | undefined {
  const isBeginning = ({ name }: ModelPrice) => name.endsWith('*')
  return prices
    .filter((price) => (isBeginning(price) ? model.startsWith(price.name.slice(0, -1)) : price.name === model))
    .filter(({ from }) => from <= at)
    .toSorted(
      (a, b) => Number(isBeginning(a)) - Number(isBeginning(b)) || b.name.length - a.name.length || b.from - a.from,
    )[0]
}

function costOf(model: Model, { model: name, pools, said, at }: ModelEvent): bigint | undefined {
  if (said !== undefined) return said
  const price = name !== undefined && pools && priceAt(model, name, at)
  if (!price) return undefined
  const [input, output] = price.rates
  const sum =
    (pools.input + pools.cacheRead + pools.cacheWrite) * input * NANOS +
    (pools.output + pools.reasoning) * output * NANOS
  return (BigInt(sum) + 500_000n) / 1_000_000n // half up
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

/** Every split must match the model. */
async function compare({ events }: Model, { ctx, tenantId, now }: Real): Promise<void> {
  for (const by of ['feature', 'model', 'user', 'team'] as const) {
    const expected: Record<string, unknown[]> = {}
    for (const value of new Set(events.map((event) => event[by]))) {
      if (value === undefined) continue
      const own = events.filter((event) => event[by] === value)
      expected[value] = [
        own.length,
        own.reduce((sum, { tokens }) => sum + tokens, 0),
        own.reduce((sum, { pools }) => sum + (pools?.cacheRead ?? 0), 0),
        formatDollars(own.reduce((sum, { cost = 0n }) => sum + cost, 0n)),
        own.filter(({ cost }) => cost === undefined).length,
      ]
    }
    const { values } = await readUsageBy(ctx.database, tenantId, now, { by, limit: 1000 })
    const found = values.map(({ value, eventCount, totalTokens, pools, cost, unpricedEvents }) => [
      value,
      [eventCount, totalTokens, pools.cacheRead, cost, unpricedEvents],
    ])
    assert.deepEqual(Object.fromEntries(found), expected, by)
  }
}

const count = fc.integer({ min: 0, max: 3_000 })
const optional = <T>(...values: T[]) => fc.constantFrom(undefined, ...values)
const model = fc.constantFrom('p-one', 'p-two', 'other')
const minutesAgo = fc.integer({ min: 0, max: 40 })
const pick = fc.nat(50)

const event = fc.record({
  feature: fc.constantFrom('chat', 'search'),
  model: fc.option(model, { nil: undefined, freq: 5 }),
  user: optional('u', 'v'),
  team: optional('red', 'blue'),
  pools: fc.option(fc.record({ input: count, cacheRead: count, cacheWrite: count, output: count, reasoning: count }), {
    nil: undefined,
    freq: 4,
  }),
  said: fc.option(fc.bigInt({ min: 0n, max: 10n ** 12n }), { nil: undefined, freq: 1 }),
  ago: minutesAgo,
})

const commands = [
  fc.array(event, { minLength: 1, maxLength: 6 }).map((given): Step => [
    `${given.length} events, twice: ${fc.stringify(given)}`,
    async (state, { ctx, tenantId, now }) => {
      const made = given.map(({ ago, model: name, user, team, pools, said, feature }): ModelEvent => {
        const tokens = pools ? Object.values(pools).reduce((a, b) => a + b, 0) : 7
        const own = {
          ...(name && { model: name }),
          ...(user && { user }),
          ...(team && { team }),
          ...(pools && { pools }),
        }
        return { feature, ...own, ...(said !== undefined && { said }), tokens, at: now - ago * MINUTE }
      })
      const recorded = made.map(({ team, said, model: name, user, pools, ...rest }) => ({
        tenantId,
        id: crypto.randomUUID(),
        feature: rest.feature,
        tokens: rest.tokens,
        createdAt: rest.at,
        receivedAt: now,
        detail: {
          ...(name && { model: name }),
          ...(user && { user }),
          ...(pools && { pools }),
          ...(said !== undefined && { cost: String(said) }),
          ...(team && { dimensions: { team } }),
        },
      }))
      await recordEvents(ctx, recorded)
      await recordEvents(ctx, recorded)
      for (const one of made) {
        const cost = costOf(state, one)
        state.events.push({ ...one, ...(cost !== undefined && { cost }) })
      }
    },
  ]),
  fc
    .tuple(fc.constantFrom('p-one', 'p-two', 'other', 'p-*', 'p*', '*'), minutesAgo, fc.nat(9), fc.nat(9))
    .map(([name, ago, input, output]): Step => [
      `the price of ${name} from ${ago} minutes ago is ${input} and ${output}`,
      async (state, { ctx, now }) => {
        const from = now - ago * MINUTE
        const effectiveFrom = new Date(from).toISOString()
        const rates = { input: BigInt(input * NANOS), output: BigInt(output * NANOS) }
        const [made] = await setPrices(ctx.database, 'test', [{ model: name, effectiveFrom, ...rates }], now)
        state.prices = state.prices.filter((price) => price.name !== name || price.from !== from)
        state.prices.push({ id: made!.id!, name, from, rates: [input, output] })
      },
    ]),
  pick.map((n): Step => [
    `price #${n} is deleted`,
    async (state, { ctx }) => {
      const price = state.prices[n % (state.prices.length || 1)]
      if (!price) return
      await deletePrice(ctx.database, 'test', price.id)
      state.prices.splice(state.prices.indexOf(price), 1)
    },
  ]),
  fc.tuple(optional('p-one', 'other'), minutesAgo, minutesAgo).map(([only, a, b]): Step => [
    `${only ?? 'all'} from ${Math.max(a, b)} to ${Math.min(a, b)} minutes ago are priced again`,
    async (state, { ctx, tenantId, now }) => {
      const [from, to] = [now - Math.max(a, b) * MINUTE, now - Math.min(a, b) * MINUTE + 1]
      const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString(), tenantId, model: only }
      await repriceStep(ctx.database, range, undefined)
      for (const one of state.events) {
        if (one.at < from || one.at >= to || (only !== undefined && one.model !== only) || one.said !== undefined)
          continue
        const cost = costOf(state, one)
        if (cost === undefined) delete one.cost
        else one.cost = cost
      }
    },
  ]),
].map((steps) => steps.map(command))

test(`tokens, pools and cost of every split match a simple model, whatever is priced when (${RUNS} runs)`, async () => {
  const base = await createContext({ DATABASE_POOL_SIZE: '4', DIMENSIONS: 'team' })
  const seed = Number(process.env.FLAGMETER_SEED ?? Date.now() % 1_000_000_000)
  const ctx = { database: base.database, metrics: base.metrics, changes: base.changes }
  const setup = async (): Promise<{ model: Model; real: Real }> => {
    await ctx.database`update prices set deleted_at = now() where catalogue is null and deleted_at is null`
    const [row] = await ctx.database<{ id: string }[]>`
      insert into tenants (name, monthly_quota, billing_day) values (${crypto.randomUUID()}, 200, ${dayBefore()})
      returning id`
    return { model: { events: [], prices: [] }, real: { ctx, tenantId: row!.id, now: Date.now() } }
  }
  const steps = fc.commands(commands, { size: '+1', maxCommands: 30 })
  const property = fc.asyncProperty(steps, (given) => fc.asyncModelRun(setup, given))
  const path = process.env.FLAGMETER_PATH
  await fc.assert(property, { numRuns: RUNS, seed, ...(path && { path }) })
  assert.deepEqual(await verify(ctx.database), [])
}, 1_800_000)

/** A billing day whose period has not begun within the hour: no event of the test is in the one before. */
const dayBefore = (): number => Math.min(28, new Date(Date.now() - 86_400_000).getUTCDate())
