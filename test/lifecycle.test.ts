import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { startCli } from './_cli.ts'
import { createContext, createDatabase, createTestServer, until } from './_context.ts'
import { AUTHORIZATION } from './_key.ts'
import { createProxy } from './_proxy.ts'
import { freePort } from './_valkey.ts'
import { atMost } from './_counts.ts'

const event = { tenant: 'acme-corp', feature: 'x', tokens: 1 }

test('a stopping server is not ready, still takes events, and closes each connection', async () => {
  const stop = new AbortController()
  const { get, post } = await createTestServer({}, { stopping: stop.signal })
  expect((await get('/api/health')).body.status).toBe('healthy')
  stop.abort('SIGTERM')
  const health = await get('/api/health')
  expect([health.status, health.body.status, health.headers.get('retry-after')]).toEqual([503, 'draining', '1'])
  const { status, headers } = await post('/api/events', event)
  expect([status, headers.get('connection')]).toEqual([201, 'close'])
  expect((await get('/api/health/live')).status).toBe(200)
})

test("on SIGTERM a server's readiness becomes 503, it serves for DRAIN_DELAY_MS, and exits with 0", async () => {
  const PORT = String(await freePort())
  const ctx = await createContext()
  const serving = startCli(['serve'], { DATABASE_URL: ctx.databaseUrl, PORT, DRAIN_DELAY_MS: '1000' })
  const url = `http://127.0.0.1:${PORT}`
  const health = async () => (await fetch(`${url}/api/health`).catch(() => undefined))?.status
  await until(async () => (await health()) === 200)
  serving.child.kill('SIGTERM')
  const at = performance.now()
  await until(async () => (await health()) === 503)
  const headers = { ...AUTHORIZATION, 'content-type': 'application/json' }
  const answer = await fetch(`${url}/api/events`, { method: 'POST', headers, body: JSON.stringify(event) })
  expect(answer.status).toBe(201)
  expect((await serving.finished).code).toBe(0)
  expect(performance.now() - at).toBeGreaterThan(950)
  expect(performance.now() - at).toBeLessThan(atMost(5_000))
})

test('Ctrl-C does not wait for load balancers', async () => {
  const env = { DATABASE_URL: await createDatabase(), PORT: '0', DRAIN_DELAY_MS: '30000' }
  const serving = startCli(['serve'], env)
  await until(() => serving.output().includes('"serving"'))
  serving.child.kill('SIGINT')
  expect((await serving.finished).code).toBe(0)
})

test('a server and a worker log once which database they wait for, and continue when it is up', async () => {
  const databaseUrl = await createDatabase()
  const proxy = await createProxy(databaseUrl)
  proxy.set('closed')
  const { host, port } = new URL(proxy.url)
  const env = { DATABASE_URL: proxy.url, VALKEY_URL: inject('valkeyUrl'), QUEUE_NAME: `wait-${port}`, PORT: '0' }
  const started = [startCli(['serve'], env), startCli(['worker'], env)]
  const line = `waiting for PostgreSQL at ${host}`
  await until(() => started.every(({ output }) => output().includes(line)))
  await sleep(1_500)
  proxy.set('open')
  await until(() => started.every(({ output }) => output().includes(`PostgreSQL at ${host} is there`)))
  for (const { child, output, finished } of started) {
    expect(output().split(line)).toHaveLength(2)
    child.kill('SIGINT')
    expect((await finished).code).toBe(0)
  }
})

test('migrate waits for a database that starts later, and gives up with one line after --wait', async () => {
  const proxy = await createProxy(await createDatabase())
  proxy.set('closed')
  const { host } = new URL(proxy.url)
  const waiting = startCli(['migrate'], { DATABASE_URL: proxy.url })
  await until(() => waiting.output().includes(`waiting for PostgreSQL at ${host}, 60 s at most`))
  proxy.set('open')
  expect(await waiting.finished).toMatchObject({ code: 0, out: 'up to date\n' })
  proxy.set('closed')
  const { code, err } = await startCli(['migrate', '--wait', '1'], { DATABASE_URL: proxy.url }).finished
  expect([code, err.trim().split('\n')]).toEqual([
    3,
    [expect.stringContaining('waiting for'), expect.stringMatching(/^flagmeter: the database does not answer: /)],
  ])
})

test('a worker stopped while PostgreSQL hangs leaves its batch to others, and exits in time', async () => {
  const ctx = await createContext({ VALKEY_URL: inject('valkeyUrl') })
  const proxy = await createProxy(ctx.databaseUrl)
  const env = { VALKEY_URL: inject('valkeyUrl'), QUEUE_NAME: ctx.config.queueName, CLAIM_IDLE_MS: '500' }
  const slow = startCli(['worker', 'rollup'], {
    ...env,
    DATABASE_URL: proxy.url,
    DRAIN_DELAY_MS: '0',
    DRAIN_TIMEOUT_MS: '1000',
  })
  await until(() => slow.output().includes('"working"'))
  const tenantId = (await ctx.tenants.find(['acme-corp'])).get('acme-corp')!
  const now = Date.now()
  proxy.set('mute')
  await ctx.intake.accept([
    { tenantId, id: crypto.randomUUID(), feature: 'x', tokens: 5, createdAt: now, receivedAt: now },
  ])
  await sleep(1_500)
  slow.child.kill('SIGTERM')
  const at = performance.now()
  const { code, out } = await slow.finished
  expect([code, performance.now() - at < atMost(12_000)]).toEqual([0, true])
  expect(out).toContain('another worker takes it over')
  startCli(['worker', 'rollup'], { ...env, DATABASE_URL: ctx.databaseUrl })
  await until(async () => (await ctx.database`select 1 from usage_periods where total_tokens = 5`).length === 1)
})
