import { v7 as uuidv7 } from 'uuid'
import { expect, test } from 'vitest'
import { createTenant, updateTenant } from './_tenants.ts'
import type { Context } from '../lib/context.ts'
import { recordEvents } from '../lib/events/record.ts'
import { createContext } from './_context.ts'
import { addWebhook } from './_deliveries.ts'
import { createRandom } from './_random.ts'

const DAY_MS = 86_400_000

async function use(ctx: Context, tenantId: string, tokens: number, createdAt = Date.now()): Promise<number[]> {
  const event = { tenantId, id: uuidv7(), feature: 'x', tokens, createdAt, receivedAt: Date.now() }
  const { counters } = await recordEvents(ctx, [event])
  return counters.flatMap(({ crossed }) => crossed)
}

/** All alerts, as [threshold, tokens, limit, quota version], in order. */
const alerts = async (ctx: Context) =>
  (await ctx.database`select * from alerts order by position`).map((row) => [
    row.threshold,
    row.total_tokens,
    row.token_limit,
    row.quota_version,
  ])

test('a threshold raises one alert, and one delivery per enabled webhook', async () => {
  const ctx = await createContext()
  const tenant = await createTenant(ctx.database, { name: 'umbrella' })
  const other = await createTenant(ctx.database, { name: 'other' })
  const hooks = [await addWebhook(ctx, tenant.id, 'http://a.test/'), await addWebhook(ctx, tenant.id, 'http://b.test/')]
  await addWebhook(ctx, other.id, 'http://c.test/')
  const off = await addWebhook(ctx, tenant.id, 'http://d.test/')
  await ctx.database`update webhooks set enabled = false where id = ${off}`
  expect(await use(ctx, tenant.id, 799_999)).toEqual([])
  expect(await use(ctx, tenant.id, 1)).toEqual([80])
  expect(await use(ctx, tenant.id, 199_999)).toEqual([])
  expect(await use(ctx, tenant.id, 1)).toEqual([100])
  expect(await use(ctx, tenant.id, 5_000_000)).toEqual([])
  expect(await alerts(ctx)).toEqual([
    [80, 800_000, 1_000_000, 1],
    [100, 1_000_000, 1_000_000, 1],
  ])
  const rows = await ctx.database`
    select webhook_id, threshold from deliveries d join alerts a on a.id = d.alert_id order by d.position`
  expect(rows.map((row) => row.threshold)).toEqual([80, 80, 100, 100])
  expect(new Set(rows.map((row) => row.webhook_id))).toEqual(new Set(hooks))
})

test('a batch that jumps over several thresholds raises each, in order', async () => {
  const ctx = await createContext()
  const tenant = await createTenant(ctx.database, { name: 'umbrella', thresholds: [100, 50, 130, 80, 131] })
  expect(tenant.thresholds).toEqual([50, 80, 100, 130, 131])
  expect(await use(ctx, tenant.id, 700_000)).toEqual([50])
  expect(await use(ctx, tenant.id, 600_000)).toEqual([80, 100, 130])
  expect((await alerts(ctx)).map(([threshold]) => threshold)).toEqual([50, 80, 100, 130])
})

test('thresholds of a thousand percent of a quadrillion tokens are counted exactly', async () => {
  const ctx = await createContext()
  const tenant = await createTenant(ctx.database, { name: 'big', monthlyQuota: 1e15, thresholds: [1, 1000] })
  await ctx.database`update tenants set monthly_quota = 9223372036854775807 where id = ${tenant.id}`
  expect(await use(ctx, tenant.id, 1_000_000_000)).toEqual([])
  await ctx.database`update tenants set monthly_quota = 101 where id = ${tenant.id}`
  const small = await createTenant(ctx.database, { name: 'small', monthlyQuota: 3, thresholds: [33, 34, 66, 67] })
  expect(await use(ctx, small.id, 1)).toEqual([33])
  expect(await use(ctx, small.id, 1)).toEqual([34, 66])
  expect(await use(ctx, small.id, 1)).toEqual([67])
})

test('a late event raises alerts for the open period, but not for a past one', async () => {
  const ctx = await createContext()
  const tenant = await createTenant(ctx.database, { name: 'umbrella' })
  expect(await use(ctx, tenant.id, 2_000_000, Date.now() - 32 * DAY_MS)).toEqual([])
  expect(await alerts(ctx)).toEqual([])
  expect(await use(ctx, tenant.id, 900_000)).toEqual([80])
})

test('raising a quota re-arms thresholds no longer reached, and repeats none that still are', async () => {
  const ctx = await createContext()
  const { id } = await createTenant(ctx.database, { name: 'umbrella', thresholds: [50, 80, 100] })
  expect(await use(ctx, id, 900_000)).toEqual([50, 80])
  await updateTenant(ctx.database, id, { monthlyQuota: 1_500_000 }) // 60 %: 50 is still reached, 80 is not
  expect(await alerts(ctx)).toHaveLength(2)
  expect(await use(ctx, id, 300_000)).toEqual([80])
  expect(await use(ctx, id, 300_000)).toEqual([100])
  expect((await alerts(ctx)).map(([threshold, , , version]) => [threshold, version])).toEqual([
    [50, 1],
    [80, 1],
    [80, 2],
    [100, 2],
  ])
})

test('lowering a quota alerts at once, in order, and only once', async () => {
  const ctx = await createContext()
  const { id } = await createTenant(ctx.database, { name: 'umbrella' })
  await addWebhook(ctx, id, 'http://a.test/')
  await use(ctx, id, 500_000)
  await updateTenant(ctx.database, id, { monthlyQuota: 400_000 })
  const told = [
    [80, 500_000, 400_000, 2],
    [100, 500_000, 400_000, 2],
  ]
  expect(await alerts(ctx)).toEqual(told)
  await updateTenant(ctx.database, id, { monthlyQuota: 400_000 })
  await updateTenant(ctx.database, id, { monthlyQuota: 300_000 })
  await updateTenant(ctx.database, id, { name: 'umbrella-corp' })
  expect(await use(ctx, id, 1)).toEqual([])
  expect(await alerts(ctx)).toEqual(told)
  expect(await ctx.database`select 1 from deliveries`).toHaveLength(2)
})

test('a new threshold already reached alerts at once; removed and added again, it does not repeat', async () => {
  const ctx = await createContext()
  const { id } = await createTenant(ctx.database, { name: 'umbrella' })
  await use(ctx, id, 900_000)
  await updateTenant(ctx.database, id, { thresholds: [50, 80, 95] })
  expect((await alerts(ctx)).map(([threshold]) => threshold)).toEqual([80, 50])
  await updateTenant(ctx.database, id, { thresholds: [95] })
  await updateTenant(ctx.database, id, { thresholds: [50, 95] })
  expect(await alerts(ctx)).toHaveLength(2)
  expect(await use(ctx, id, 50_000)).toEqual([95])
})

test('a billing day that moves usage into the open period alerts for newly crossed thresholds', async () => {
  const ctx = await createContext()
  const today = new Date().getUTCDate()
  const yesterday = new Date(Date.now() - DAY_MS).getUTCDate()
  const tenant = await createTenant(ctx.database, { name: 'umbrella', billingDay: today })
  await use(ctx, tenant.id, 850_000, Date.now() - DAY_MS / 2 - (Date.now() % DAY_MS)) // noon yesterday: a period ago
  expect(await alerts(ctx)).toEqual([])
  await updateTenant(ctx.database, tenant.id, { billingDay: yesterday })
  expect((await alerts(ctx)).map(([threshold]) => threshold)).toEqual([80])
  await updateTenant(ctx.database, tenant.id, { timezone: 'Etc/GMT-1' })
  expect(await alerts(ctx)).toHaveLength(1)
})

test('random usage and changes of quota and thresholds raise the alerts that a simple model predicts', async () => {
  const ctx = await createContext()
  const { seed, below } = createRandom()
  for (let round = 0; round < 6; round++) {
    const state = { total: 0, limit: 1000, thresholds: [80, 100], version: 1 }
    const expected: string[] = []
    const { id } = await createTenant(ctx.database, { name: `model-${round}`, monthlyQuota: 1000 })
    for (let step = 0; step < 40; step++) {
      const before = { ...state }
      const kind = below(4)
      if (kind === 0) {
        state.limit = 200 + below(20) * 100
        if (state.limit !== before.limit) state.version++
      } else if (kind === 1) {
        const picked = Array.from({ length: 1 + below(3) }, () => 10 + below(15) * 10)
        state.thresholds = [...new Set(picked)].toSorted((a, b) => a - b)
      } else state.total += 1 + below(150)
      const reached = ({ total, limit }: typeof state, percent: number) => total * 100 >= limit * percent
      for (const percent of state.thresholds) {
        const wasReached = before.thresholds.includes(percent) && reached(before, percent)
        const key = `${percent} v${state.version}`
        if (reached(state, percent) && !wasReached && !expected.includes(key)) expected.push(key)
      }
      if (kind === 0) await updateTenant(ctx.database, id, { monthlyQuota: state.limit })
      else if (kind === 1) await updateTenant(ctx.database, id, { thresholds: state.thresholds })
      else await use(ctx, id, state.total - before.total)
    }
    const rows =
      await ctx.database`select threshold, quota_version from alerts where tenant_id = ${id} order by position`
    expect([seed, rows.map((row) => `${row.threshold} v${row.quota_version}`)]).toEqual([seed, expected])
  }
})

test('while eight writers race with changes of the quota, each threshold of a version alerts once', async () => {
  const ctx = await createContext({ DATABASE_POOL_SIZE: '12' })
  const { id } = await createTenant(ctx.database, { name: 'umbrella', monthlyQuota: 100_000 })
  await addWebhook(ctx, id, 'http://a.test/')
  const writers = Array.from({ length: 8 }, async () => {
    for (let i = 0; i < 40; i++) await use(ctx, id, 1_000)
  })
  const changes = (async () => {
    for (const monthlyQuota of [200_000, 50_000, 400_000, 150_000])
      await updateTenant(ctx.database, id, { monthlyQuota })
  })()
  await Promise.all([...writers, changes])
  const [row] =
    await ctx.database`select count(*)::int as n, count(distinct (threshold, quota_version))::int as keys from alerts`
  const [outbox] = await ctx.database`select count(*)::int as n from deliveries`
  expect([row!.n, outbox!.n]).toEqual([row!.keys, row!.keys])
  expect((await alerts(ctx)).at(-1)?.[0]).toBe(100)
})
