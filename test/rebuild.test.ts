import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import prune from '../handlers/prune.ts'
import rebuild from '../handlers/rebuild.ts'
import type { Context } from '../lib/context.ts'
import { recordEvents } from '../lib/events/record.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { runCli } from './_cli.ts'
import { type TestServer, createTestServer, startConsumers, until } from './_context.ts'
import { tenantId } from './_deliveries.ts'

const DAY_MS = 86_400_000
const never = new AbortController().signal

/** Gives a tenant a history: minutes over this many days, of five features, with their counters. */
async function fill(ctx: Context, tenant: string, rows: number, days = 300): Promise<void> {
  const database = openDatabase({ databaseUrl: ctx.config.databaseUrl!, databasePoolSize: 1 }, 0)
  await database`
    insert into rollups (tenant_id, feature, minute, total_tokens, event_count)
    select ${tenant}, 'f' || n % 5,
      date_bin('1 minute', now() - n * ${days}::float8 / ${rows}::float8 * interval '1 day', 'epoch'), n % 7 + 1, 1
    from generate_series(1, ${rows}::int) n
    on conflict do nothing`
  await database`
    insert into usage_features select tenant_id, period_start, feature, total_tokens, event_count
      from expected_usage where tenant_id = ${tenant}`
  await database`insert into usage_periods select * from expected_counters(${tenant}, '-infinity')`
  await database`
    insert into usage_hours select tenant_id, date_bin('1 hour', minute, 'epoch'), sum(total_tokens)
      from rollups where tenant_id = ${tenant} group by 1, 2`
  // Their events were pruned long ago.
  await database`update event_retention set pruned_before = date_trunc('minute', now())`
  await database.end()
}

/** Starts the change so that the test takes the steps itself, of this many rows each. */
async function begin({ database }: Context, tenant: string, billingDay: number, timezone = 'UTC'): Promise<void> {
  await database`
    insert into tenant_rebuilds (tenant_id, billing_day, timezone, first_minute, counted_until)
    select ${tenant}, ${billingDay}, ${timezone}, min(minute), min(minute) from rollups where tenant_id = ${tenant}`
}

const step = async ({ database }: Context, tenant: string, batch: number): Promise<boolean> =>
  (await database<{ more: boolean }[]>`select rebuild_step(${tenant}, ${batch}::int) as more`)[0]!.more

async function record(ctx: Context, tenant: string, feature: string, agesDays: number[]): Promise<void> {
  const now = Date.now()
  await recordEvents(
    ctx,
    agesDays.map((age) => ({
      tenantId: tenant,
      id: crypto.randomUUID(),
      feature,
      tokens: 3,
      createdAt: now - age * DAY_MS,
      receivedAt: now,
    })),
  )
}

const used = async ({ get }: TestServer) => (await get('/api/usage/acme-corp')).body
/** A billing day other than the tenant's, whose period covers different days. */
const otherDay = (new Date().getUTCDate() % 28) + 1

test('while a large tenant changes its billing day, every counter is always right, despite new events', async () => {
  const server = await createTestServer()
  const { ctx } = server
  const id = await tenantId(ctx)
  await fill(ctx, id, 6_000, 60)
  expect(await verify(ctx.database)).toEqual([])
  const before = await used(server)
  await begin(ctx, id, otherDay, 'Asia/Kathmandu')
  let steps = 0
  while (await step(ctx, id, 500)) {
    steps++
    await record(ctx, id, `f${steps % 7}`, [0, 0.1, 5, 20, 34.5]) // before and after the part already processed
    expect([steps, await verify(ctx.database)]).toEqual([steps, []])
    expect((await used(server)).periodStart).toBe(before.periodStart)
  }
  expect(steps).toBeGreaterThan(8)
  expect(await verify(ctx.database)).toEqual([])
  expect((await used(server)).periodStart).not.toBe(before.periodStart)
  const [row] = await ctx.database`select billing_day, timezone from tenants where id = ${id}`
  expect(row).toEqual({ billing_day: otherDay, timezone: 'Asia/Kathmandu' })
  await record(ctx, id, 'f1', [0, 30])
  expect(await verify(ctx.database)).toEqual([])
})

test('concurrent writers, changed settings and two workers: nothing is counted twice or left out', async () => {
  const server = await createTestServer({ DATABASE_POOL_SIZE: '12' })
  const { ctx, request } = server
  const id = await tenantId(ctx)
  await fill(ctx, id, 42_000, 40)
  let isOver = false
  const writers = Array.from({ length: 3 }, async (_, n) => {
    while (!isOver) await record(ctx, id, `f${n}`, [0, Math.random() * 34, Math.random() * 34])
  })
  const workers = [await startConsumers(ctx, ['rebuild']), await startConsumers(ctx, ['rebuild'])]
  for (const [billingDay, timezone] of [
    [17, 'UTC'],
    [3, 'Asia/Tokyo'],
    [31, 'America/New_York'],
  ] as const) {
    await ctx.database`select rebuild_start(${id}, ${billingDay}::int, ${timezone})`
    expect((await request('PATCH', '/api/tenants/acme-corp', { billingDay, timezone })).status).toBe(200)
    expect(await verify(ctx.database)).toEqual([])
  }
  await until(async () => (await ctx.database`select from tenant_rebuilds`).length === 0)
  isOver = true
  await Promise.all(writers)
  for (const finish of workers) await finish()
  const [row] = await ctx.database`select billing_day, timezone from tenants where id = ${id}`
  expect(row).toEqual({ billing_day: 31, timezone: 'America/New_York' })
  expect(await verify(ctx.database)).toEqual([])
})

test('an aborted step has no effect, and the next one continues from there', async () => {
  const server = await createTestServer()
  const { ctx } = server
  const id = await tenantId(ctx)
  await fill(ctx, id, 3_000, 60)
  await begin(ctx, id, otherDay)
  await step(ctx, id, 1_000)
  const at = async () => (await ctx.database`select counted_until from tenant_rebuilds`)[0]
  const stood = await at()
  for (const batch of [1_000, 1_000_000]) {
    // The last step too, with the new counters in place.
    const broken = ctx.database.begin(async (transaction) => {
      await transaction`select rebuild_step(${id}, ${batch}::int)`
      throw new Error('broken off')
    })
    await expect(broken).rejects.toThrow('broken off')
    expect(await at()).toEqual(stood)
    expect(await verify(ctx.database)).toEqual([])
  }
  await rebuild.consume(ctx, never)
  expect(await at()).toBeUndefined()
  expect(await verify(ctx.database)).toEqual([])
})

test('meanwhile, quotas may change, tokens may be held, and the tenant may be deleted', async () => {
  const server = await createTestServer()
  const { ctx, post, request, get } = server
  const id = await tenantId(ctx)
  await fill(ctx, id, 5_000, 60)
  await begin(ctx, id, otherDay)
  await step(ctx, id, 2_000)
  const made = []
  for (const settings of [
    { period: 'hour' },
    { period: 'day', feature: 'f1' },
    { period: 'week' },
    { period: 'month', feature: 'f2' },
    { period: 'month' },
  ])
    made.push((await post('/api/quotas', { tenant: 'acme-corp', tokenLimit: 1_000_000, ...settings })).body.id)
  const hold = { tenant: 'acme-corp', feature: 'f2', tokens: 100 }
  const held = (await post('/api/reservations', hold)).body.id
  const released = (await post('/api/reservations', hold)).body.id
  expect(await verify(ctx.database)).toEqual([])
  await request('DELETE', `/api/quotas/${made[0]}`)
  await post(`/api/reservations/${released}/release`, {})
  await rebuild.consume(ctx, never)
  expect(await verify(ctx.database)).toEqual([])
  const { quotas } = await used(server)
  expect(quotas.map((quota: any) => quota.reservedTokens)).toEqual(
    quotas.map((quota: any) => (quota.feature === 'f1' ? 0 : 100)),
  )
  const month = quotas.find((quota: any) => quota.feature === 'f2')
  expect(month.totalTokens).toBe((await used(server)).features.find((row: any) => row.feature === 'f2').totalTokens)
  await post(`/api/reservations/${held}/settle`, { tokens: 40 })
  expect(await verify(ctx.database)).toEqual([])

  await begin(ctx, id, 11)
  await step(ctx, id, 2_000)
  expect((await request('DELETE', '/api/tenants/acme-corp')).status).toBe(200)
  await rebuild.consume(ctx, never)
  expect(await verify(ctx.database)).toEqual([])
  await prune.consume(ctx, never)
  for (const table of ['tenant_rebuilds', 'rebuilt_features', 'usage_features'])
    expect([table, await ctx.database.unsafe(`select from ${table} where tenant_id = '${id}'`)]).toEqual([table, []])
  expect((await get('/api/tenants/acme-corp')).status).toBe(404)
})

test('the API and the CLI show its progress; other settings apply at once; reverting cancels it', async () => {
  const { ctx, get, request, url } = await createTestServer()
  const id = await tenantId(ctx)
  await fill(ctx, id, 3_000, 90)
  await begin(ctx, id, otherDay, 'Europe/Berlin')
  await step(ctx, id, 1_500)
  const shown = { billingDay: otherDay, timezone: 'Europe/Berlin', percent: expect.any(Number) }
  const { body } = await get('/api/tenants/acme-corp')
  expect(body).toMatchObject({ billingDay: 1, timezone: 'UTC', rebuild: shown })
  expect(body.rebuild.percent).toBeGreaterThan(20)
  expect(body.rebuild.percent).toBeLessThan(80)
  const changed = (await request('PATCH', '/api/tenants/acme-corp', { monthlyQuota: 5, name: 'acme' })).body
  expect(changed).toMatchObject({ name: 'acme', monthlyQuota: 5, billingDay: 1, rebuild: shown })
  expect((await runCli(['tenant', 'list'], { FLAGMETER_URL: url })).out).toMatch(
    new RegExp(`acme .* UTC \\(changing to ${otherDay}, Europe/Berlin: \\d+ %\\)`),
  )
  const ended = (await request('PATCH', '/api/tenants/acme', { billingDay: 1, timezone: 'UTC' })).body
  expect([ended.billingDay, ended.timezone, ended.rebuild]).toEqual([1, 'UTC', undefined])
  await prune.consume(ctx, never)
  expect(await ctx.database`select from rebuilt_features`).toEqual([])
  expect(await verify(ctx.database)).toEqual([])
})

test('background changes are in the audit log under the actor who asked for them', async () => {
  const { ctx, get, request } = await createTestServer()
  const id = await tenantId(ctx)
  await fill(ctx, id, 25_000, 40)
  await request('PATCH', '/api/tenants/acme-corp', { billingDay: new Date().getUTCDate(), monthlyQuota: 1_000_000 })
  await ctx.database.begin(async (transaction) => {
    await transaction`select set_config('flagmeter.actor', 'somebody', true)`
    await transaction`select rebuild_start(${id}, 1, 'UTC')`
  })
  expect(await ctx.database`select from tenant_rebuilds`).toHaveLength(1)
  await rebuild.consume(ctx, never)
  const [entry] = (await get('/api/audit?limit=1')).body.entries
  expect([entry.actor, entry.action, entry.after.billing_day]).toEqual(['somebody', 'tenant.updated', 1])
})

test('periods older than the retained minutes stay as they were', async () => {
  const server = await createTestServer()
  const { ctx, request } = server
  const id = await tenantId(ctx)
  await fill(ctx, id, 2_000, 200)
  await ctx.database`select prune_rollups(now() - interval '70 days', 100000)`
  const old = await ctx.database`
    select * from usage_periods
      where tenant_id = ${id} and period_end < now() - interval '70 days' order by period_start`
  expect(old.length).toBeGreaterThan(2)
  await request('PATCH', '/api/tenants/acme-corp', { billingDay: otherDay, timezone: 'Asia/Tokyo' })
  const left = await ctx.database`
    select * from usage_periods
      where tenant_id = ${id} and period_end < now() - interval '110 days' order by period_start`
  expect(left).toEqual(old.slice(0, left.length))
  expect(left.length).toBeGreaterThan(1)
  expect(await verify(ctx.database)).toEqual([])
})
