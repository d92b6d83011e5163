import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, onTestFinished, test } from 'vitest'
import { createKey, revokeKey } from '../lib/admin/keys.ts'
import { type TestServer, createContext, createTestServer, median, startConsumers, until } from './_context.ts'
import { atMost, count } from './_counts.ts'
import { addWebhook, createReceiver, tenantId } from './_deliveries.ts'
import { AUTHORIZATION } from './_key.ts'
import { createProxy } from './_proxy.ts'

const VALKEY_URL = inject('valkeyUrl')

interface Heard {
  event: string
  data: any
  at: number
}

/** Opens /api/stream as EventSource does, and records what it receives. */
async function listen(server: TestServer, headers: Record<string, string> = AUTHORIZATION) {
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  const answer = await fetch(`${server.url}/api/stream`, { headers, signal: stop.signal })
  const heard: Heard[] = []
  const stream = { answer, heard, bytes: '', ended: false, stop: () => stop.abort() }
  const read = async () => {
    let rest = ''
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      stream.bytes += chunk
      const blocks = (rest + chunk).split('\n\n')
      rest = blocks.pop()!
      for (const block of blocks) {
        const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? []
        if (event) heard.push({ event, data: JSON.parse(data!), at: performance.now() })
      }
    }
  }
  void read()
    .catch(() => {})
    .finally(() => (stream.ended = true))
  return stream
}

type Listening = Awaited<ReturnType<typeof listen>>
const rowsOf = ({ heard }: Listening) =>
  heard.filter(({ event }) => event === 'usage').flatMap(({ data }) => data.tenants)
const tokensOf = (stream: Listening, tenant: string) =>
  rowsOf(stream).findLast(({ tenantName }: any) => tenantName === tenant)?.totalTokens
const listeners = async ({ ctx }: TestServer) =>
  (await ctx.database`select 1 from pg_stat_activity where datname = current_database() and query ilike 'listen%'`)
    .length
const ready = (server: TestServer, wanted = 1) => until(async () => (await listeners(server)) === wanted)
const event = (fields: object = {}) => ({ tenant: 'acme-corp', feature: 'x', tokens: 5, ...fields })

test('a POST reaches the stream in well under a second, without Valkey, and with it from another process', async () => {
  for (const env of [{}, { VALKEY_URL, QUEUE_NAME: `stream-${Math.random()}` }]) {
    const server = await createTestServer(env)
    const worker = await createContext({ ...env, DATABASE_URL: server.databaseUrl })
    if ('VALKEY_URL' in env) await startConsumers(worker, ['rollup'])
    const stream = await listen(server)
    expect(stream.answer.headers.get('content-type')).toBe('text/event-stream')
    await ready(server)
    const took: number[] = []
    for (let total = 5; total <= 50; total += 5) {
      const sentAt = performance.now()
      await server.post('/api/events', event())
      await until(() => tokensOf(stream, 'acme-corp') === total)
      took.push(stream.heard.findLast((frame) => frame.event === 'usage')!.at - sentAt)
      await sleep(Math.random() * 200)
    }
    expect(median(took)).toBeLessThan(atMost(1_000))
    const row = rowsOf(stream).at(-1)
    expect(row).toEqual(
      (await server.get('/api/usage')).body.tenants.find(({ tenantName }: any) => tenantName === 'acme-corp'),
    )
    await until(() => stream.heard.some(({ event: name, data }) => name === 'totals' && data.eventsPerSecond >= 1))
    const totals = stream.heard.findLast(({ event: name }) => name === 'totals')!.data
    expect(totals).toMatchObject({ deadLetters: 0, failingDeliveries: 0 })
    expect(totals.tokensPerSecond / totals.eventsPerSecond).toBeCloseTo(5, 0)
    expect(totals.freshnessMs).toBeLessThan(atMost(2_000))
  }
})

test('one connection listens for any number of watchers, who get at most four frames a second', async () => {
  const server = await createTestServer({ LIMIT_REQUESTS: '0' })
  const startedAt = performance.now()
  const streams = await Promise.all(Array.from({ length: 50 }, () => listen(server)))
  await ready(server)
  for (const end = Date.now() + 2_000; Date.now() < end; await sleep(5))
    await server.post(
      '/api/events',
      Array.from({ length: 10 }, (_, i) => event({ tenant: ['acme-corp', 'globex-inc'][i % 2] })),
    )
  const last = (await server.get('/api/usage/acme-corp')).body.totalTokens
  await until(() => streams.every((stream) => tokensOf(stream, 'acme-corp') === last))
  const seconds = (performance.now() - startedAt) / 1_000
  for (const { heard } of streams) {
    const frames = heard.filter(({ event: name }) => name === 'usage').length
    expect(frames).toBeGreaterThan(count(1, 2))
    expect(frames).toBeLessThanOrEqual(4 * seconds + 2)
  }
  expect(await listeners(server)).toBe(1)
  for (const stream of streams) stream.stop()
  await ready(server, 0)
})

test("a tenant's key hears only of its tenant: no other name, no other id, no totals", async () => {
  const server = await createTestServer()
  const own = await tenantId(server.ctx)
  const { key } = await createKey(server.ctx.database, 'test', { name: 'k', scopes: ['read'], tenantId: own })
  const stream = await listen(server, { authorization: `Bearer ${key}` })
  await ready(server)
  for (const tenant of ['globex-inc', 'initech-llc', 'acme-corp'])
    await server.post('/api/events', event({ tenant, tokens: 900_000 }))
  await server.request('PATCH', '/api/tenants/globex-inc', { monthlyQuota: 5 })
  await server.request('PATCH', '/api/tenants/acme-corp', { monthlyQuota: 5 })
  await until(() => rowsOf(stream).at(-1)?.monthlyQuota === 5)
  await sleep(1_500)
  for (const other of ['globex-inc', 'initech-llc'])
    for (const text of [other, await tenantId(server.ctx, other)]) expect(stream.bytes).not.toContain(text)
  expect(new Set(stream.heard.map(({ event: name }) => name))).toEqual(new Set(['reload', 'usage', 'changed', 'beat']))
})

test('all other changes are sent: settings, quotas, webhooks, keys, alerts, deliveries, tenants', async () => {
  const receiver = await createReceiver()
  const server = await createTestServer({ WEBHOOK_ALLOW_PRIVATE: 'true' })
  const { ctx, post, request } = server
  const stream = await listen(server)
  await ready(server)
  const own = await tenantId(ctx)
  const told = async (what: () => Promise<unknown>) => {
    await sleep(400)
    stream.heard.length = 0
    await what()
    await until(() => stream.heard.some(({ event: name, data }) => name === 'changed' && data.tenants.includes(own)))
  }
  await told(() => request('PATCH', '/api/tenants/acme-corp', { thresholds: [50] }))
  await told(() => post('/api/quotas', { tenant: 'acme-corp', period: 'day', tokenLimit: 10 }))
  await told(() => addWebhook(ctx, own, receiver.url))
  await told(() => post('/api/keys', { name: 'k', scopes: ['read'], tenant: 'acme-corp' }))
  await told(() => post('/api/events', event({ tokens: 600_000 })))
  await sleep(400)
  await told(() => startConsumers(ctx, ['deliver']))
  await until(() => receiver.received.length > 0)
  await told(() => request('DELETE', '/api/tenants/acme-corp'))
  await until(() => stream.heard.some(({ event: name, data }) => name === 'usage' && data.gone.includes(own)))
})

test('a rate falls to zero when the events stop, also for those who started watching later', async () => {
  let ahead = 0
  const server = await createTestServer({}, { clock: () => Date.now() + ahead })
  await server.post('/api/events', event())
  await server.ctx.changes.flush()
  const stream = await listen(server)
  await ready(server)
  await until(() => rowsOf(stream).at(-1)?.tokensPerMinute > 0)
  ahead = 125_000
  await until(() => rowsOf(stream).at(-1)?.tokensPerMinute === 0)
  expect(rowsOf(stream).at(-1)).toMatchObject({ totalTokens: 5, tokensLastDay: 5 })
})

test('holding, settling and lapsing update the row', async () => {
  const server = await createTestServer()
  const stream = await listen(server)
  await ready(server)
  const shows = (totalTokens: number, reservedTokens: number) =>
    until(() => {
      const row = rowsOf(stream).at(-1)
      return row?.totalTokens === totalTokens && row.reservedTokens === reservedTokens
    })
  const hold = { tenant: 'acme-corp', feature: 'x', tokens: 100 }
  const { id } = (await server.post('/api/reservations', hold)).body
  await shows(0, 100)
  await server.post(`/api/reservations/${id}/settle`, { tokens: 40 })
  await shows(40, 0)
  await server.post('/api/reservations', { ...hold, ttlSeconds: 1 })
  await shows(40, 100)
  await startConsumers(server.ctx, ['lapse'])
  await shows(40, 0)
})

test('dead letters and failing deliveries are in the totals; malformed notifications are ignored', async () => {
  const receiver = await createReceiver((res) => void res.writeHead(500).end())
  const server = await createTestServer({ WEBHOOK_ALLOW_PRIVATE: 'true' })
  const { database } = server.ctx
  const stream = await listen(server)
  await ready(server)
  for (const payload of ['', 'x', '[]', '{"tenants":"x"}', '{"tenants":[1]}', '{"changed":7}', '{"tenants":["no id"]}'])
    await database`select pg_notify(notify_channel(), ${payload})`
  await database`insert into dead_letters (id, payload, reason) values (gen_random_uuid(), 'x', 'y')`
  await addWebhook(server.ctx, await tenantId(server.ctx), receiver.url)
  await startConsumers(server.ctx, ['deliver'])
  await server.post('/api/events', event({ tokens: 850_000 }))
  await until(() =>
    stream.heard.some(
      ({ event: name, data }) => name === 'totals' && data.deadLetters === 1 && data.failingDeliveries === 1,
    ),
  )
})

test('a database outage ends no stream; when it is over, all are told to reload', async () => {
  const direct = await createTestServer()
  const proxy = await createProxy(direct.databaseUrl)
  const server = await createTestServer({ DATABASE_URL: proxy.url })
  const stream = await listen(server)
  await ready(direct)
  const reloads = () => stream.heard.filter(({ event: name }) => name === 'reload').length
  await until(() => reloads() === 1)
  proxy.set('closed')
  await sleep(3_000)
  expect([stream.ended, reloads()]).toEqual([false, 1])
  await direct.post('/api/events', event())
  proxy.set('open')
  await until(() => reloads() === 2)
  await direct.post('/api/events', event())
  await until(() => tokensOf(stream, 'acme-corp') === 10)
})

test("a revoked key's stream ends within seconds; HEAD opens nothing; a key has at most 100 streams", async () => {
  const server = await createTestServer({ LIMIT_REQUESTS: '0' })
  const { id, key } = await createKey(server.ctx.database, 'test', { name: 'k', scopes: ['read'] })
  const own = { authorization: `Bearer ${key}` }
  const streams = await Promise.all(Array.from({ length: 101 }, () => listen(server, own)))
  expect(streams.filter(({ answer }) => answer.status === 200)).toHaveLength(100)
  expect(streams.filter(({ answer }) => answer.status === 429)).toHaveLength(1)
  expect((await fetch(`${server.url}/api/stream`, { method: 'HEAD', headers: AUTHORIZATION })).status).toBe(200)
  await revokeKey(server.ctx.database, 'test', id)
  await until(() => streams.every(({ ended }) => ended), atMost(9_000))
  await ready(server, 0)
})

test('when the listening connection is lost, all are told to reload, and keep receiving', async () => {
  const server = await createTestServer()
  const stream = await listen(server)
  await ready(server)
  await server.ctx.database`
    select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'`
  await until(() => stream.heard.filter(({ event: name }) => name === 'reload').length === 2)
  await server.post('/api/events', event())
  await until(() => tokensOf(stream, 'acme-corp') === 5)
})

test('a stopping server ends its streams at once', async () => {
  const stopping = new AbortController()
  const server = await createTestServer({}, { stopping: stopping.signal })
  const stream = await listen(server)
  stopping.abort()
  await until(() => stream.ended, atMost(1_000))
  const late = await listen(server)
  await until(() => late.ended, atMost(1_000))
  expect([late.answer.status, late.bytes]).toEqual([200, 'retry: 1000\n\n'])
})
