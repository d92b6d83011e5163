import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import prune from '../handlers/prune.ts'
import { query } from '../lib/store/database.ts'
import { loadSql } from '../lib/store/sql.ts'
import { type TestServer, createTestServer } from './_context.ts'
import { addWebhook, cross, tenantId } from './_deliveries.ts'
import { atMost } from './_counts.ts'

const never = new AbortController().signal
const DAYS = { ALERT_RETENTION_DAYS: '62', AUDIT_RETENTION_DAYS: '30', DEAD_LETTER_RETENTION_DAYS: '20' }

const count = async ({ ctx }: TestServer, table: string, where = 'true') =>
  (await ctx.database.unsafe(`select count(*)::int as n from ${table} where ${where}`))[0]!.n

/** `n` alerts of a period that ended `age` days ago, each with a delivery of this status. */
async function addAlerts({ ctx }: TestServer, tenant: string, webhook: string, n: number, age: number, status: string) {
  await ctx.database`
    with a as (
      insert into alerts (tenant_id, quota_id, period_start, period_end, threshold, quota_version, token_limit,
        total_tokens, created_at)
      select ${tenant}, gen_random_uuid(), now() - ${age + 31} * interval '1 day', now() - ${age} * interval '1 day',
        80, i, 1, 1,
             now() - ${age + 1} * interval '1 day'
      from generate_series(1, ${n}::int) i
      returning id, created_at, period_end
    )
    insert into deliveries (tenant_id, webhook_id, alert_id, status, created_at, finished_at, next_attempt_at)
    select ${tenant}, ${webhook}, id, ${status}, created_at,
           case when ${status} in ('delivered', 'dead') then period_end end, now() + interval '1 day'
    from a`
}

test('alerts and deliveries past their retention are deleted in batches; open or pending ones stay', async () => {
  const server = await createTestServer(DAYS)
  const { ctx } = server
  const id = await tenantId(ctx)
  const webhook = await addWebhook(ctx, id, 'https://example.com/')
  await cross(ctx) // in the open period
  await ctx.database`update alerts set created_at = now() - interval '900 days'`
  await addAlerts(server, id, webhook, 6_000, 70, 'delivered')
  await addAlerts(server, id, webhook, 3, 70, 'dead')
  await addAlerts(server, id, webhook, 5, 70, 'pending')
  await addAlerts(server, id, webhook, 4, 60, 'delivered')
  await prune.consume(ctx, never)
  expect([await count(server, 'alerts'), await count(server, 'deliveries')]).toEqual([10, 10])
  expect(await count(server, 'deliveries', "status = 'pending'")).toBe(6)
  await cross(ctx, 80) // crossing again would alert again if its alert had been forgotten
  expect(await count(server, 'alerts', 'period_end > now() and threshold = 80')).toBe(1)
})

test('old audit entries, dead letters and short-period counters go; billing-period counters stay', async () => {
  const server = await createTestServer({ ...DAYS, ROLLUP_RETENTION_DAYS: '62' })
  const { ctx, post } = server
  const id = await tenantId(ctx)
  await post('/api/quotas', { tenant: 'acme-corp', period: 'hour', tokenLimit: 10 })
  await ctx.database`update quotas set counts_from = '-infinity'`
  await ctx.database`
    insert into rollups (tenant_id, feature, minute, total_tokens, event_count)
    select ${id}, 'x', date_bin('1 minute', now() - n * interval '1 hour', 'epoch'), 1, 1
      from generate_series(1, 2400) n`
  await ctx.database`insert into usage_features
    select tenant_id, period_start, feature, total_tokens, event_count from expected_usage`
  await ctx.database`insert into usage_periods
    select * from expected_counters(null, '-infinity') on conflict do nothing`
  await ctx.database`insert into usage_hours
    select tenant_id, date_bin('1 hour', minute, 'epoch'), sum(total_tokens) from rollups group by 1, 2`
  await ctx.database`update event_retention set pruned_before = now()`
  expect(await verify(ctx.database)).toEqual([])
  const monthly = await count(server, 'usage_periods', 'quota_id = tenant_id')
  await ctx.database`
    insert into audit_log (position, actor, action, subject_id, created_at)
    overriding system value
    select n - 6000, 'old', 'tenant.updated', gen_random_uuid(), now() - interval '31 days'
      from generate_series(1, 6000) n`
  await ctx.database`
    insert into dead_letters (id, payload, reason, failed_at)
    select gen_random_uuid(), '{}', 'x', now() - n * interval '1 day' from generate_series(15, 25) n`
  await prune.consume(ctx, never)
  expect(await verify(ctx.database)).toEqual([])
  expect(await count(server, 'usage_periods', 'quota_id = tenant_id')).toBe(monthly)
  expect(
    await count(
      server,
      'usage_periods',
      "quota_id <> tenant_id and period_end < date_trunc('hour', now()) - interval '62 days'",
    ),
  ).toBe(0)
  expect(await count(server, 'usage_periods', 'quota_id <> tenant_id')).toBeGreaterThan(1_400)
  expect(await count(server, 'dead_letters')).toBe(5)
  expect(await count(server, 'audit_log', "actor = 'old'")).toBe(0)
  expect(await count(server, 'audit_log')).toBeGreaterThan(3)
})

test('a tenant with many alerts, deliveries and counters is deleted at once, and soon leaves no trace', async () => {
  const server = await createTestServer()
  const { ctx, post, request, get } = server
  const id = await tenantId(ctx)
  const webhook = await addWebhook(ctx, id, 'https://example.com/')
  await post('/api/events', { tenant: 'acme-corp', feature: 'x', tokens: 1 })
  for (let i = 0; i < 3; i++) await addAlerts(server, id, webhook, 6_000, 0, 'delivered')
  await addAlerts(server, id, webhook, 10, 0, 'pending')
  await ctx.database`
    insert into usage_features select ${id}, '2020-01-01'::timestamptz, 'f' || n, 1, 1 from generate_series(1, 20000) n`
  const at = performance.now()
  // Each alert looked through all deliveries: more than a statement may take.
  expect((await request('DELETE', '/api/tenants/acme-corp')).status).toBe(200)
  expect(performance.now() - at).toBeLessThan(atMost(3_000))
  expect((await get('/api/alerts')).body.alerts).toEqual([])
  expect((await get('/api/deliveries')).body.deliveries).toEqual([])
  expect((await post('/api/deliveries/retry', {})).body).toMatchObject({ retried: 0 })
  await ctx.database`update deliveries set next_attempt_at = now() where status = 'pending'`
  const [claimed] = await query<{ id: string | null; waiting_since: Date | null }>(
    ctx.database,
    loadSql('queries/delivery_claim'),
    [10, 20, []],
  )
  expect([claimed?.id, claimed?.waiting_since]).toEqual([null, null])
  const again = await post('/api/tenants', { name: 'acme-corp' })
  expect(again.status).toBe(201)
  expect((await get('/api/usage/acme-corp')).body).toMatchObject({ totalTokens: 0, features: [] })
  expect((await get('/api/alerts?tenant=acme-corp')).body.alerts).toEqual([])
  const tables = ['alerts', 'deliveries', 'usage_features', 'usage_periods', 'usage_hours', 'rollups', 'events']
  await prune.consume(ctx, never)
  for (const table of [...tables, 'deleted_tenants', 'deleted_webhooks'])
    expect([table, await count(server, table, `tenant_id = '${id}'`)]).toEqual([table, 0])
})

test('a webhook goes at once, however many deliveries it has had', async () => {
  const server = await createTestServer()
  const { ctx, request, get } = server
  const id = await tenantId(ctx)
  const [gone, kept] = [
    await addWebhook(ctx, id, 'https://a.example.com/'),
    await addWebhook(ctx, id, 'https://b.example.com/'),
  ]
  await addAlerts(server, id, gone, 7_000, 0, 'delivered')
  await addAlerts(server, id, gone, 3, 0, 'pending')
  await addAlerts(server, id, kept, 3, 0, 'delivered')
  expect((await request('DELETE', `/api/webhooks/${gone}`)).status).toBe(200)
  expect((await get('/api/deliveries')).body.deliveries.length).toBe(3)
  expect(await count(server, 'deliveries', "status = 'pending'")).toBe(0)
  await prune.consume(ctx, never)
  expect([await count(server, 'deliveries'), await count(server, 'alerts')]).toEqual([3, 7_006])
})
