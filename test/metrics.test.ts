import { setTimeout as sleep } from 'node:timers/promises'
import { inject, expect, onTestFinished, test } from 'vitest'
import { createMetricsServer } from '../lib/metrics/metrics_server.ts'
import { renderMetrics } from '../lib/metrics/store_metrics.ts'
import type { Context } from '../lib/context.ts'
import { startCli } from './_cli.ts'
import { createDatabase, createTestServer, startConsumers, until } from './_context.ts'
import { createProxy } from './_proxy.ts'
import { freePort } from './_valkey.ts'
import { atMost } from './_counts.ts'

/** The samples by their name and labels, as Prometheus would read them. */
async function samples(ctx: Context): Promise<Map<string, number>> {
  const lines = (await renderMetrics(ctx)).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]))
}

const event = { tenant: 'acme-corp', feature: 'x', tokens: 1 }

test('length, lag and age of the stream are exported until its entries are recorded', async () => {
  const { ctx, post } = await createTestServer({ VALKEY_URL: inject('valkeyUrl') })
  const stop = await startConsumers(ctx, ['rollup'])
  await post('/api/events', event)
  await until(async () => (await samples(ctx)).get('flagmeter_events_recorded_total') === 1)
  await stop()
  await post('/api/events', event)
  await post('/api/events', event)
  await ctx.valkey!.xreadgroup('GROUP', 'rollup', 'a-dead-one', 'COUNT', 1, 'STREAMS', ctx.config.queueName, '>')
  const waiting = await samples(ctx)
  expect(waiting.get('flagmeter_stream_entries')).toBe(2)
  expect(waiting.get('flagmeter_stream_lag_entries{group="rollup"}')).toBe(1)
  expect(waiting.get('flagmeter_stream_pending_entries{group="rollup"}')).toBe(1)
  await until(async () => (await samples(ctx)).get('flagmeter_stream_oldest_pending_seconds{group="rollup"}')! > 0.2)
  expect((await samples(ctx)).get('flagmeter_stream_oldest_entry_seconds')).toBeGreaterThan(0.2)
  expect(waiting.get('flagmeter_events_accepted_total{path="stream"}')).toBe(3)
  expect(waiting.get('flagmeter_valkey_memory_used_bytes')).toBeGreaterThan(10_000)
})

test('events that bypass Valkey have the same metrics: batch, wait, rows, time, freshness, pool', async () => {
  const { ctx, post } = await createTestServer()
  await post('/api/events', [
    { ...event, id: 'a' },
    { ...event, id: 'a' },
    { ...event, id: 'b' },
  ])
  await ctx.changes.flush()
  const found = await samples(ctx)
  for (const [name, value] of Object.entries({
    'flagmeter_events_accepted_total{path="direct"}': 3,
    flagmeter_events_recorded_total: 2,
    flagmeter_events_duplicate_total: 1,
    flagmeter_intake_batch_events_sum: 3,
    flagmeter_intake_wait_seconds_count: 1,
    flagmeter_record_events_batch_events_sum: 3,
    flagmeter_record_events_duration_seconds_count: 1,
    flagmeter_freshness_seconds_count: 1,
    flagmeter_database_up: 1,
    flagmeter_database_connections_limit: 10,
    flagmeter_database_connections_used: 0,
    flagmeter_database_statements_waiting: 0,
  })) {
    expect([name, found.get(name)]).toEqual([name, value])
  }
  expect(found.get('flagmeter_database_size_bytes')).toBeGreaterThan(1_000_000)
  expect(found.get('flagmeter_disk_free_bytes')).toBeGreaterThan(0)
  expect(found.get('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0)
  expect([...found.keys()].join('\n')).not.toMatch(/acme|flagmeter_stream_(?!write)|valkey_up/)
})

test('connections in use and statements that wait for one are counted', async () => {
  const { ctx, get } = await createTestServer({ DATABASE_POOL_SIZE: '2' })
  const [webhook] = (await get('/api/webhooks')).body.webhooks
  await ctx.database.begin(async (sql) => {
    await sql`lock table webhooks in access exclusive mode`
    const reads = Array.from({ length: 4 }, () => get(`/api/webhooks/${webhook.id}`))
    await until(async () => (await samples(ctx)).get('flagmeter_database_statements_waiting')! >= 2)
    void Promise.allSettled(reads)
  })
  await until(async () => (await samples(ctx)).get('flagmeter_database_statements_waiting') === 0)
})

test('a store that is down is left out of the metrics, and does not hang a scrape', async () => {
  const valkey = await createProxy(inject('valkeyUrl'))
  const database = await createProxy(await createDatabase())
  const { ctx } = await createTestServer({ VALKEY_URL: valkey.url, DATABASE_URL: database.url })
  expect((await samples(ctx)).get('flagmeter_stream_entries')).toBe(0)
  valkey.set('mute')
  database.set('mute')
  await sleep(300) // recent values are shown again
  const startedAt = performance.now()
  const found = await samples(ctx)
  expect(performance.now() - startedAt).toBeLessThan(atMost(3_000))
  expect(found.get('flagmeter_database_up')).toBe(0)
  expect([...found.keys()].join('\n')).not.toMatch(/flagmeter_(stream_(?!write)|database_size|valkey_memory)/)
  valkey.set('open')
  database.set('open')
})

test('the metrics server answers /metrics and /live, and nothing else', async () => {
  const { ctx } = await createTestServer()
  const server = createMetricsServer(() => renderMetrics(ctx)).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  const answer = await fetch(`${url}/metrics`)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, expect.stringContaining('version=0.0.4')])
  expect(await answer.text()).toMatch(/^flagmeter_build_info\{version="\d+\.\d+\.\d+"\} 1$/m)
  expect((await fetch(`${url}/live`)).status).toBe(200)
  expect((await fetch(`${url}/api/usage`)).status).toBe(404)
})

test('METRICS_PORT gives serve and worker a port for metrics, without a key', async () => {
  const env = { DATABASE_URL: await createDatabase(), VALKEY_URL: inject('valkeyUrl'), PORT: '0' }
  for (const command of ['serve', 'worker']) {
    const METRICS_PORT = String(await freePort())
    const { output } = startCli([command], { ...env, METRICS_PORT })
    await until(() => output().includes('127.0.0.1:' + METRICS_PORT))
    const text = await (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text()
    expect(text).toContain('flagmeter_valkey_up 1')
  }
})
