import { Writable } from 'node:stream'
import { pino } from 'pino'
import { Webhook as Verifier } from 'standardwebhooks'
import { expect, onTestFinished, test } from 'vitest'
import { query } from '../lib/store/database.ts'
import { loadSql } from '../lib/store/sql.ts'
import { createContext, createTestServer, startConsumers, until } from './_context.ts'
import { LOCAL, addWebhook, atRest, createReceiver, cross, deliveries, tenantId } from './_deliveries.ts'

test('Slack gets exactly this text, and one message per threshold of a jump, in order', async () => {
  const { ctx, post } = await createTestServer(LOCAL)
  const receiver = await createReceiver()
  await addWebhook(ctx, await tenantId(ctx), receiver.url)
  await startConsumers(ctx, ['deliver'])
  const use = (tokens: number) => post('/api/events', { tenant: 'acme-corp', feature: 'x', tokens })
  await use(820_000)
  await until(() => receiver.received.length === 1)
  expect(receiver.received[0]!.body).toBe(
    `{"text":"FlagMeter: tenant 'acme-corp' has hit 82% of 1,000,000 tokens this month."}`,
  )
  await ctx.database`delete from deliveries`
  await ctx.database`delete from alerts`
  await ctx.database`update usage_periods set total_tokens = 700000`
  await use(600_000)
  await until(() => receiver.received.length === 3)
  const rows = await ctx.database`
    select a.threshold from deliveries d join alerts a on a.id = d.alert_id order by d.finished_at`
  expect(rows.map(({ threshold }) => threshold)).toEqual([80, 100])
  expect(receiver.bodies()[2].text).toContain('has hit 130% of')
})

test('finished deliveries leave no listeners behind', async () => {
  const warnings: string[] = []
  const note = ({ message }: Error) => warnings.push(message)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const ctx = await createContext(LOCAL)
  let asked = 0
  for (let host = 0; host < 3; host++) {
    const receiver = await createReceiver((res) => void setTimeout(() => res.end(), 12 * ++asked))
    for (let i = 0; i < 6; i++) await addWebhook(ctx, await tenantId(ctx), receiver.url)
  }
  await cross(ctx)
  await startConsumers(ctx, ['deliver'])
  await until(() => atRest(ctx))
  expect([asked, warnings]).toEqual([18, []])
})

test("a webhook's alerts are sent in order, each after the answer to the one before", async () => {
  const ctx = await createContext(LOCAL)
  const open = { now: 0, most: 0 }
  const receiver = await createReceiver((res) => {
    open.most = Math.max(open.most, ++open.now)
    setTimeout(() => {
      open.now--
      res.end()
    }, 30)
  })
  await addWebhook(ctx, await tenantId(ctx), receiver.url, { kind: 'standard', secret: 'whsec_AAAA' })
  for (let threshold = 1; threshold <= 20; threshold++) await cross(ctx, threshold)
  await startConsumers(ctx, ['deliver'])
  await startConsumers(ctx, ['deliver']) // a second worker
  await until(() => receiver.received.length === 20)
  expect(receiver.bodies().map(({ data }) => data.threshold)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  expect(open.most).toBe(1)
})

test('Slack messages name the quota; a tenant or feature name cannot mention a channel', async () => {
  const ctx = await createContext(LOCAL)
  const receiver = await createReceiver()
  const id = await tenantId(ctx)
  await ctx.database`update tenants set name = '<!channel> & co' where id = ${id}`
  await addWebhook(ctx, id, receiver.url)
  const cases: [feature: string | null, period: string, words: string][] = [
    [null, 'month', '3,000 tokens this month'],
    [null, 'week', '3,000 tokens this week'],
    ['gpt-4-turbo', 'day', '3,000 gpt-4-turbo tokens today'],
    ['<@U123>', 'hour', '3,000 &lt;@U123&gt; tokens this hour'],
  ]
  for (const [feature, period] of cases)
    await ctx.database`
      select raise_alert(${id}, gen_random_uuid(), ${feature}, ${period},
                         now() - interval '1 day', now() + interval '1 day',
                         80, 1, 3000, 2400)`
  await startConsumers(ctx, ['deliver'])
  await until(() => receiver.received.length === cases.length)
  const told = `FlagMeter: tenant '&lt;!channel&gt; &amp; co' has hit 80% of`
  expect(receiver.bodies().map(({ text }) => text)).toEqual(cases.map(([, , words]) => `${told} ${words}.`))
})

test('other receivers get a signed event that the reference library verifies, with two secrets too', async () => {
  const { ctx, request, get } = await createTestServer(LOCAL)
  const receiver = await createReceiver()
  const body = { tenant: 'acme-corp', kind: 'standard', url: receiver.url }
  const { id, secret } = (await request('POST', '/api/webhooks', body)).body
  await startConsumers(ctx, ['deliver'])
  await cross(ctx, 80)
  await until(() => receiver.received.length === 1)
  const verify = (key: string, index: number): any =>
    new Verifier(key).verify(
      receiver.received[index]!.body,
      receiver.received[index]!.headers as Record<string, string>,
    )
  const alert = (await get('/api/alerts')).body.alerts[0]
  expect(verify(secret, 0)).toEqual({
    type: 'quota.threshold.crossed',
    timestamp: alert.createdAt,
    data: {
      tenant: alert.tenant,
      tenantName: 'acme-corp',
      alert: alert.id,
      threshold: 80,
      quotaPercent: 80,
      totalTokens: 800_000,
      quota: { id: alert.tenant, period: 'month', tokenLimit: 1_000_000, version: 1 },
      periodStart: alert.periodStart,
      periodEnd: alert.periodEnd,
    },
  })
  expect(receiver.received[0]!.headers['webhook-id']).toBe((await deliveries(ctx))[0]!.id)
  const rotated = (await request('POST', `/api/webhooks/${id}/rotate`)).body
  expect(rotated.secret).not.toBe(secret)
  await cross(ctx, 90)
  await until(() => receiver.received.length === 2)
  expect([verify(secret, 1).data.threshold, verify(rotated.secret, 1).data.threshold]).toEqual([90, 90])
  await ctx.database`update webhooks set previous_secret_expires_at = now() where id = ${id}`
  await cross(ctx, 100)
  await until(() => receiver.received.length === 3)
  expect(verify(rotated.secret, 2).data.threshold).toBe(100)
  expect(() => verify(secret, 2)).toThrow('No matching signature found')
})

test('retries follow the schedule, up to a tenth later; then the delivery is dead, and can be retried', async () => {
  const { ctx, get, post } = await createTestServer({ ...LOCAL, DELIVERY_RETRY_SECONDS: '100,200,400' })
  let status = 503
  const receiver = await createReceiver((res) => void res.writeHead(status).end())
  await addWebhook(ctx, await tenantId(ctx), receiver.url)
  await startConsumers(ctx, ['deliver'])
  await cross(ctx)
  for (const [i, pause] of [100, 200, 400].entries()) {
    await until(
      async () => (await deliveries(ctx))[0]!.attempts === i + 1 && (await deliveries(ctx))[0]!.status === 'pending',
    )
    const { wait } = (await deliveries(ctx))[0]!
    expect(wait).toBeGreaterThan(pause - 1)
    expect(wait).toBeLessThanOrEqual(pause * 1.1)
    await ctx.database`update deliveries set next_attempt_at = now()`
  }
  await until(() => atRest(ctx))
  const [dead] = (await get('/api/deliveries?status=dead')).body.deliveries
  expect(dead).toMatchObject({
    status: 'dead',
    attempts: 4,
    responseStatus: 503,
    reason: 'answered 503',
    threshold: 80,
  })
  expect(dead.url).toBe(`${new URL(receiver.url).origin}/…`)
  status = 200
  expect((await post('/api/deliveries/retry', { delivery: dead.id })).body).toEqual({ retried: 1, more: false })
  await until(() => atRest(ctx))
  expect((await get(`/api/deliveries/${dead.id}`)).body).toMatchObject({
    status: 'delivered',
    attempts: 1,
    responseStatus: 200,
  })
  expect((await post('/api/deliveries/retry', {})).body).toEqual({ retried: 0, more: false })
  expect(await ctx.metrics.registry.getSingleMetricAsString('flagmeter_deliveries_total')).toMatch(
    /outcome="delivered"} 1\n.*outcome="retried"} 3\n.*outcome="dead"} 1/,
  )
})

test('a request retries at most ten thousand deliveries, the oldest first, and says that there are more', async () => {
  const { ctx, post } = await createTestServer(LOCAL)
  const [tenant, webhook] = [await tenantId(ctx), await addWebhook(ctx, await tenantId(ctx), 'http://127.0.0.1:9/')]
  await ctx.database`
    insert into deliveries (tenant_id, webhook_id, status, attempts, finished_at)
    select ${tenant}, ${webhook}, 'dead', 3, now() from generate_series(1, 10500)`
  const retry = async () => (await post('/api/deliveries/retry', {})).body
  expect(await retry()).toEqual({ retried: 10_000, more: true })
  const [row] = await ctx.database`
    select (select max(position) from deliveries where status = 'pending' and attempts = 0)
           < (select min(position) from deliveries where status = 'dead') as is_oldest_first`
  expect(row!.is_oldest_first).toBe(true)
  expect([await retry(), await retry()]).toEqual([
    { retried: 500, more: false },
    { retried: 0, more: false },
  ])
})

test('the schedule tries at once, after 1, 2 and 4 seconds, then ever more slowly for three days', async () => {
  const { config } = await createContext()
  const pauses = config.deliveryRetrySeconds
  expect(pauses.slice(0, 3)).toEqual([1, 2, 4])
  expect(pauses.slice(1).every((pause, i) => pause > pauses[i]! * 1.1)).toBe(true)
  expect(pauses.reduce((sum, pause) => sum + pause)).toBeGreaterThan(3 * 86_400)
})

test.each([
  ['seconds', '120', 120],
  ['a date', () => new Date(Date.now() + 300_000).toUTCString(), 300],
  ['a year: a day at most', String(365 * 86_400), 86_400],
  ['nonsense', 'soon', 1],
  ['a date that is past', 'Wed, 21 Oct 2015 07:28:00 GMT', 1],
])('Retry-After is honoured: %s', async (_name, value, expected) => {
  const ctx = await createContext(LOCAL)
  const header = typeof value === 'string' ? value : value()
  const receiver = await createReceiver((res) => void res.writeHead(503, { 'retry-after': header }).end())
  await addWebhook(ctx, await tenantId(ctx), receiver.url)
  await startConsumers(ctx, ['deliver'])
  await cross(ctx)
  await until(async () =>
    (await deliveries(ctx)).some(({ attempts, status }) => attempts === 1 && status === 'pending'),
  )
  const { wait } = (await deliveries(ctx))[0]!
  expect(wait).toBeGreaterThan(expected - 2)
  expect(wait).toBeLessThanOrEqual(expected * 1.1)
})

test('410 disables the webhook; its pending deliveries are dead, and later alerts create none', async () => {
  const ctx = await createContext(LOCAL)
  const receiver = await createReceiver((res) => void res.writeHead(410).end())
  const id = await addWebhook(ctx, await tenantId(ctx), receiver.url)
  await cross(ctx, 80)
  await cross(ctx, 90)
  await startConsumers(ctx, ['deliver'])
  await until(() => atRest(ctx))
  await cross(ctx, 100)
  expect((await ctx.database`select enabled from webhooks where id = ${id}`)[0]!.enabled).toBe(false)
  expect((await deliveries(ctx)).map(({ status, reason }) => [status, reason])).toEqual([
    ['dead', 'answered 410: the webhook is disabled'],
    ['dead', 'the webhook is disabled'],
  ])
  expect(receiver.received).toHaveLength(1)
})

test('no log line, at any level, holds a URL or a secret', async () => {
  const lines: string[] = []
  const sink = new Writable({ write: (chunk: Buffer, _, done) => (lines.push(chunk.toString()), done()) })
  const { ctx, request, post } = await createTestServer(
    { ...LOCAL, DELIVERY_RETRY_SECONDS: '1' },
    { log: pino({ level: 'trace' }, sink) },
  )
  let status = 500
  const receiver = await createReceiver((res) => void (status === 0 ? res.destroy() : res.writeHead(status).end()))
  const url = `${receiver.url}/geheim-token?key=geheim-key`
  const webhook = (await request('POST', '/api/webhooks', { tenant: 'acme-corp', kind: 'standard', url })).body
  const gone = { tenant: 'acme-corp', kind: 'slack', url: 'http://127.0.0.1:1/geheim-token' }
  await request('POST', '/api/webhooks', gone)
  await request('POST', '/api/webhooks', { tenant: 'acme-corp', kind: 'slack', url: 'geheim-token' })
  await request('PATCH', `/api/webhooks/${webhook.id}`, { url: `${url}2` })
  const { secret } = (await request('POST', `/api/webhooks/${webhook.id}/rotate`)).body
  await startConsumers(ctx, ['deliver'])
  await cross(ctx)
  await until(async () => (await deliveries(ctx))[0]!.attempts > 0)
  status = 0
  await until(() => atRest(ctx))
  await post(`/api/webhooks/${webhook.id}/test`, {})
  await until(() => atRest(ctx))
  const log = lines.join('')
  expect(log).toContain('delivery dead')
  expect(log).not.toContain('geheim')
  expect(log).not.toContain(webhook.secret.slice('whsec_'.length))
  expect(log).not.toContain(secret.slice('whsec_'.length))
  expect(JSON.stringify(await deliveries(ctx))).not.toContain('geheim')
})

test('the outcome of an expired claim is ignored, unless it is success', async () => {
  const ctx = await createContext()
  await addWebhook(ctx, await tenantId(ctx), 'https://example.com/')
  await cross(ctx)
  await ctx.database`update deliveries set status = 'sending', attempts = 2, next_attempt_at = now() + interval '20 s'`
  const settle = async (attempt: number, status: string) => {
    const [{ tenant_id, id }] = (await ctx.database`select tenant_id, id from deliveries`) as any
    await query(ctx.database, loadSql('queries/delivery_settle'), [tenant_id, id, attempt, status, null, null, null])
    return (await deliveries(ctx))[0]!.status
  }
  expect(await settle(1, 'dead')).toBe('sending')
  expect(await settle(1, 'delivered')).toBe('delivered')
  expect(await settle(2, 'dead')).toBe('delivered')
})
