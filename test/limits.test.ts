import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, inject, test } from 'vitest'
import { newKey } from '../lib/auth/key.ts'
import { createKey } from '../lib/admin/keys.ts'
import { openRateLimits } from '../lib/auth/rate_limits.ts'
import { createTestServer, until } from './_context.ts'
import { tenantId } from './_deliveries.ts'

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const event = { tenant: 'acme-corp', feature: 'x', tokens: 1 }

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Bytes of the heap that something still refers to, whatever other tests have left behind. */
function heapInUse(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

test("a key has a rate, and a burst of ten seconds' worth; then 429 says how long to wait", async () => {
  const { ctx, get } = await createTestServer({ LIMIT_REQUESTS: '2' })
  const key = bearer((await createKey(ctx.database, 'test', { name: 'k', scopes: ['read'] })).key)
  const other = bearer((await createKey(ctx.database, 'test', { name: 'k', scopes: ['read'] })).key)
  for (let i = 0; i < 20; i++) expect((await get('/api/alerts', key)).status).toBe(200)
  const { status, body, headers } = await get('/api/alerts', key)
  const wait = Number(headers.get('retry-after'))
  expect([status, body.code, wait > 0 && wait <= 10]).toEqual([429, 'rate_limited', true])
  expect(headers.get('ratelimit-policy')).toBe('"requests";q=20;w=10')
  expect(headers.get('ratelimit')).toBe(`"requests";r=0;t=${wait}`)
  expect((await get('/api/alerts', other)).status).toBe(200)
  await until(async () => (await get('/api/alerts', key)).status === 200, (wait + 1) * 1_000)
})

test("all keys of a tenant share the tenant's rate", async () => {
  const { ctx, get } = await createTestServer({ LIMIT_REQUESTS: '1' })
  const settings = { name: 'k', scopes: ['read' as const], tenantId: await tenantId(ctx) }
  const keys = await Promise.all([1, 2].map(() => createKey(ctx.database, 'test', settings)))
  const statuses = []
  for (let i = 0; i < 12; i++) statuses.push((await get('/api/alerts', bearer(keys[i % 2]!.key))).status)
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 429, 429])
})

test('events count one by one: in a batch, only those of a tenant over its limit are refused', async () => {
  const { ctx, post } = await createTestServer({ LIMIT_EVENTS: '1000' })
  const make = async () => bearer((await createKey(ctx.database, 'test', { name: 'k', scopes: ['ingest'] })).key)
  const [first, second, third] = [await make(), await make(), await make()]
  const batch = (count: number, tenant: string) => Array.from({ length: count }, () => ({ ...event, tenant }))
  expect((await post('/api/events', batch(6_000, 'acme-corp'), first)).status).toBe(201)
  expect((await post('/api/events', batch(3_999, 'acme-corp'), second)).status).toBe(201)
  // acme-corp has one left; its keys have more.
  const mixed = await post('/api/events', [...batch(2, 'acme-corp'), ...batch(2, 'globex-inc')], third)
  expect([mixed.status, mixed.body.accepted]).toEqual([207, 2])
  expect(mixed.body.results.map(({ problem }: any) => problem?.code)).toEqual([
    'rate_limited',
    'rate_limited',
    undefined,
    undefined,
  ])
  const over = await post('/api/events', batch(4_001, 'globex-inc'), first)
  expect([over.status, over.body.code, over.headers.get('ratelimit-policy')]).toEqual([
    429,
    'rate_limited',
    '"events";q=10000;w=10',
  ])
  const [row] = await ctx.database`select count(*)::int as n from events`
  expect(row!.n).toBe(10_001)
})

test('with Valkey, all processes together hold the rate', async () => {
  const valkey = { VALKEY_URL: inject('valkeyUrl'), LIMIT_REQUESTS: '10' }
  const first = await createTestServer(valkey)
  const second = await createTestServer({ ...valkey, DATABASE_URL: first.databaseUrl })
  const key = bearer((await createKey(first.ctx.database, 'test', { name: 'k', scopes: ['read'] })).key)
  for (let i = 0; i < 100; i++) expect((await first.get('/api/alerts', key)).status).toBe(200)
  await until(async () => (await second.get('/api/alerts', key)).status === 429)
})

test('a key first used by many connections at once does not count as a guess', async () => {
  const { get, ctx } = await createTestServer()
  const { key } = await createKey(ctx.database, 'test', { name: 'k', scopes: ['read'] })
  const answers = await Promise.all(Array.from({ length: 100 }, () => get('/api/alerts', bearer(key))))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
})

test('an address that guesses keys gets 429 after 20; valid keys, even new ones, still get in', async () => {
  const { get, ctx } = await createTestServer()
  const { key } = await createKey(ctx.database, 'test', { name: 'k', scopes: ['read'] })
  const answers = []
  for (let i = 0; i < 30; i++) answers.push(await get('/api/alerts', bearer(newKey())))
  expect(answers.findIndex(({ status }) => status === 429)).toBe(20)
  const wait = Number(answers.at(-1)!.headers.get('retry-after'))
  expect(wait > 0 && wait <= 60).toBe(true)
  expect((await get('/api/alerts', bearer(key))).status).toBe(200)
  expect((await get('/api/alerts', bearer('fm_mistyped'))).status).toBe(429)
  expect((await get('/api/health', { authorization: '' })).status).toBe(200)
})

test('wrong keys from a million addresses take no more memory than from ten thousand', () => {
  const limits = openRateLimits({ limitRequests: 0, limitEvents: 0 }, undefined)
  for (let i = 0; i < 10_000; i++) limits.guessedWrong(`2001:db8:${i}:0`)
  const before = heapInUse()
  for (let i = 0; i < 1_000_000; i++) limits.guessedWrong(`2001:db9:${i % 65_536}:${i >> 16}`)
  expect((heapInUse() - before) / 1e6).toBeLessThan(60) // without a bound: 400 MB
  limits.guessedWrong('2001:db8:0:0') // still in use, so not collected before
})

test('behind a proxy, the address that the proxy adds counts, not the one the client sends', async () => {
  const { get } = await createTestServer({ TRUSTED_PROXIES: '1' })
  const guess = async (forwarded: string) =>
    (await get('/api/alerts', { ...bearer(newKey()), 'x-forwarded-for': forwarded })).status
  for (let i = 0; i < 20; i++) expect(await guess(`10.9.9.${i}, 203.0.113.7`)).toBe(401)
  expect(await guess('10.9.9.99, 203.0.113.7')).toBe(429)
  expect(await guess('203.0.113.7, 203.0.113.8')).toBe(401)
  for (let i = 0; i < 20; i++) await guess(`2001:db8:1:2::${i}`)
  expect([await guess('2001:db8:1:2:3:4:5:6'), await guess('2001:db8:1:3::1')]).toEqual([429, 401])
})

test('CORS is off until configured, and then allows only those origins', async () => {
  const off = await createTestServer()
  const origin = { origin: 'https://app.example.com', 'access-control-request-method': 'POST' }
  expect((await off.request('OPTIONS', '/api/events', undefined, origin)).status).toBe(405)
  expect((await off.get('/api/alerts', origin)).headers.get('access-control-allow-origin')).toBe(null)
  const on = await createTestServer({ CORS_ORIGINS: 'https://app.example.com,https://b.example' })
  const preflight = await on.request('OPTIONS', '/api/events', undefined, origin)
  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([
    204,
    'https://app.example.com',
  ])
  expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
  expect(preflight.headers.get('access-control-allow-methods')).toBe('POST')
  const answer = await on.get('/api/alerts', origin)
  expect([answer.headers.get('access-control-allow-origin'), answer.headers.get('vary')]).toEqual([
    'https://app.example.com',
    'origin',
  ])
  const foreign = await on.get('/api/alerts', { origin: 'https://evil.example' })
  expect([foreign.headers.get('access-control-allow-origin'), foreign.headers.get('vary')]).toEqual([null, 'origin'])
  expect((await on.request('OPTIONS', '/nowhere', undefined, origin)).status).toBe(404)
})

test('every answer has the security headers, including problems', async () => {
  const { get, post } = await createTestServer()
  for (const { headers } of [
    await get('/api/alerts'),
    await get('/nowhere'),
    await post('/api/events', '{'),
    await get('/metrics'),
  ]) {
    expect(Object.fromEntries(headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
  }
})
