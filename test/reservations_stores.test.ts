import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, inject, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import { readReservationId } from '../lib/quota/reservation.ts'
import { createTestServer, startConsumers, until } from './_context.ts'
import { createProxy } from './_proxy.ts'
import { counters, reserve, settle, want } from './_reservations.ts'

const VALKEY_URL = inject('valkeyUrl')

/** A server whose database can be cut off; meanwhile settlements go into the stream. */
async function createServer() {
  const database = (await createTestServer()).databaseUrl
  const proxy = await createProxy(database)
  return { proxy, server: await createTestServer({ DATABASE_URL: proxy.url, VALKEY_URL, LIMIT_REQUESTS: '0' }) }
}

test('with Valkey too, a settlement goes straight to the database that has its hold', async () => {
  const server = await createTestServer({ VALKEY_URL })
  const { id } = (await reserve(server)).body
  expect((await settle(server, id, 80)).status).toBe(200)
  expect(await counters(server)).toEqual([[80, 0]])
})

test('a hold whose settlement is in the stream ends at the moment the event is counted', async () => {
  const { server, proxy } = await createServer()
  const ids = await Promise.all(Array.from({ length: 200 }, async () => (await reserve(server)).body.id))
  proxy.set('closed')
  for (const { status } of await Promise.all(ids.map((id) => settle(server, id, 100)))) expect(status).toBe(200)
  proxy.set('open')
  await until(async () => (await reserve(server, { tokens: 1_000_000 })).status === 409)
  expect(await counters(server)).toEqual([[0, 20_000]])
  const { database } = server.ctx
  const seen = new Set<number>()
  let sum = 20_000
  await startConsumers(server.ctx, ['rollup'])
  for (let used = 0; used < 20_000;) {
    const [row] = await database`select total_tokens, reserved_tokens from usage_periods`
    used = row!.total_tokens
    seen.add(used)
    if (used + row!.reserved_tokens !== 20_000) sum = used + row!.reserved_tokens
  }
  expect([sum, seen.size > 0]).toEqual([20_000, true])
  await Promise.all(ids.map((id) => settle(server, id, 100)))
  await sleep(500)
  expect(await counters(server)).toEqual([[20_000, 0]])
  expect(await verify(database)).toEqual([])
})

test('a settlement waiting in the stream keeps its hold, however far behind the worker is', async () => {
  const { server, proxy } = await createServer()
  const { ctx } = server
  const [settled, forgotten] = [(await reserve(server, { ttlSeconds: 1 })).body.id, await reserve(server)]
  expect(forgotten.status).toBe(201)
  proxy.set('closed')
  expect((await settle(server, settled, 80)).status).toBe(200)
  proxy.set('open')
  await until(async () => (await reserve(server, { tokens: 1_000_000 })).status === 409)
  // The worker is an hour behind, and both have expired; the forgotten one expired before the settlement arrived.
  await ctx.database`update reservations set expires_at = now() - interval '1 second'
    where tokens = 100 and feature = 'x'`
  await ctx.database`update reservations set expires_at = now() - interval '1 minute'
    where id = ${readReservationId(forgotten.body.id)!.id}`
  await startConsumers(ctx, ['lapse'])
  await until(async () => (await counters(server))[0][1] === 100)
  await sleep(600)
  expect(await counters(server)).toEqual([[0, 100]])
  expect((await reserve(server, { tokens: 999_901 })).status).toBe(409)
  await startConsumers(ctx, ['rollup'])
  await until(async () => (await counters(server))[0][1] === 0)
  expect(await counters(server)).toEqual([[80, 0]])
  expect(await verify(ctx.database)).toEqual([])
})

test('only settlements in the stream keep a hold; while Valkey is down, for half a minute at most', async () => {
  const valkey = await createProxy(VALKEY_URL)
  const server = await createTestServer({ VALKEY_URL: valkey.url })
  const { ctx } = server
  const expireAgo = (seconds: number) =>
    ctx.database`update reservations set expires_at = now() - ${seconds} * interval '1 second'`
  await reserve(server)
  expect((await server.post('/api/events', want({ tokens: 1 }))).status).toBe(201) // nothing consumes it
  await expireAgo(60)
  await startConsumers(ctx, ['lapse'])
  await until(async () => (await counters(server))[0][1] === 0)
  await reserve(server)
  valkey.set('closed')
  await expireAgo(20)
  await sleep(1_000)
  expect(await counters(server)).toEqual([[0, 100]])
  await expireAgo(31)
  await until(async () => (await counters(server))[0][1] === 0)
})

test('an event beyond a hard quota counts, and is reported: at once, or with Valkey once counted', async () => {
  for (const env of [{}, { VALKEY_URL }]) {
    const server = await createTestServer(env)
    await startConsumers(server.ctx, ['rollup'])
    await server.post('/api/quotas', { tenant: 'acme-corp', feature: 'x', period: 'day', tokenLimit: 150 })
    expect((await server.post('/api/events', want())).body.overQuota).toBe(undefined)
    const beyond = await server.post('/api/events', want())
    if (!('VALKEY_URL' in env)) expect(beyond.body.overQuota).toBe(true)
    await until(async () => (await server.post('/api/events', want({ tokens: 1 }))).body.overQuota === true)
    const batch = await server.post('/api/events', [want({ tokens: 1 }), want({ tokens: 1, feature: 'y' })])
    expect(batch.body.results.map(({ overQuota }: any) => overQuota)).toEqual([true, undefined])
    // Soft quotas are not reported; of a feature's two hard quotas, one exceeded is enough.
    for (const [feature, period, tokenLimit, hard] of [
      ['soft', 'day', 50, false],
      ['two', 'day', 150, true],
      ['two', 'week', 1_000, true],
    ])
      await server.post('/api/quotas', { tenant: 'globex-inc', feature, period, tokenLimit, hard })
    for (const feature of ['soft', 'two', 'soft', 'two'])
      await server.post('/api/events', want({ tenant: 'globex-inc', feature }))
    const globex = async (feature: string) =>
      (await server.post('/api/events', want({ tenant: 'globex-inc', feature, tokens: 1 }))).body.overQuota
    await until(async () => (await globex('two')) === true)
    expect(await globex('soft')).toBe(undefined)
    expect(await globex('two')).toBe(true)
  }
})

describe('while the database is down', () => {
  test('reservations are refused with 503, unless the tenant fails open; those can be settled', async () => {
    const direct = await createTestServer()
    const proxy = await createProxy(direct.databaseUrl)
    const server = await createTestServer({ DATABASE_URL: proxy.url, LIMIT_REQUESTS: '0' })
    await server.request('PATCH', '/api/tenants/globex-inc', { failMode: 'open' })
    for (const tenant of ['acme-corp', 'globex-inc']) expect((await reserve(server, { tenant })).status).toBe(201)
    proxy.set('closed')
    const closed = await reserve(server)
    expect([closed.status, closed.body.code, closed.body.failMode]).toEqual([503, 'unavailable', 'closed'])
    expect(closed.headers.get('retry-after')).toBe('1')
    const open = await reserve(server, { tenant: 'globex-inc', tokens: 7 })
    expect([open.status, open.body]).toEqual([
      201,
      { id: expect.any(String), expiresAt: expect.any(String), failMode: 'open' },
    ])
    proxy.set('open')
    await until(async () => (await settle(server, open.body.id, 5)).status === 200)
    expect(await counters(direct, 'globex-inc')).toEqual([[5, 100]])
  })

  test('a lost answer means unknown: the retry with its key finds the hold', async () => {
    const direct = await createTestServer()
    const proxy = await createProxy(direct.databaseUrl)
    const server = await createTestServer({ DATABASE_URL: proxy.url, LIMIT_REQUESTS: '0' })
    await reserve(server, { tokens: 1 })
    await server.ctx.changes.flush()
    proxy.set('mute')
    const startedAt = Date.now()
    const lost = await reserve(server, {}, 'call-1')
    expect([lost.status, Date.now() - startedAt < 4_000]).toEqual([503, true])
    expect(await counters(direct)).toEqual([[0, 101]])
    proxy.set('closed')
    proxy.set('open')
    await until(async () => (await reserve(server, {}, 'call-1')).status === 201)
    expect(await counters(direct)).toEqual([[0, 101]])
  })
})
