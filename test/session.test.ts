import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { createKey, revokeKey } from '../lib/admin/keys.ts'
import { hashKey, newKey } from '../lib/auth/key.ts'
import { newSession } from '../lib/auth/session.ts'
import { type TestServer, createContext, createTestServer, until } from './_context.ts'
import { tenantId } from './_deliveries.ts'
import { AUTHORIZATION, KEY } from './_key.ts'
import { createProxy } from './_proxy.ts'
import { atMost } from './_counts.ts'

const DAY_MS = 86_400_000
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

/** Sends a request like a browser, with a `host` header, which fetch would not let us set. */
async function call(server: TestServer, method: string, path: string, headers: Record<string, string>, body?: object) {
  const answer = await request(server.url + path, {
    method: method as 'GET',
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await answer.body.text()
  const cookie = answer.headers['set-cookie'] as string | undefined
  return { status: answer.statusCode, body: text ? JSON.parse(text) : undefined, cookie }
}

const signIn = async (server: TestServer, key = KEY, headers: Record<string, string> = {}) => {
  const answer = await call(server, 'POST', '/api/session', { ...bearer(key), ...headers })
  return { ...answer, cookie: answer.cookie?.split(';')[0] ?? '', flags: answer.cookie?.split('; ').slice(1).sort() }
}
const read = async (server: TestServer, cookie: string, headers: Record<string, string> = {}) =>
  call(server, 'GET', '/api/session', { cookie, ...headers })

test('a key becomes a cookie that scripts cannot read or other sites send; off loopback it needs TLS', async () => {
  const server = await createTestServer()
  const flags = ['HttpOnly', 'Max-Age=604800', 'Path=/', 'SameSite=Strict']
  for (const host of ['localhost:3000', '127.0.0.1', '[::1]:3000', 'flagmeter.localhost'])
    expect(await signIn(server, KEY, { host })).toMatchObject({
      status: 201,
      cookie: expect.stringMatching(/^flagmeter=fs_[\w-]{43}$/),
      flags,
    })
  for (const host of ['meter.example.com', '10.0.0.7:3000', 'localhost.example.com', '127.0.0.1.example.com']) {
    const { cookie, flags: sent } = await signIn(server, KEY, { host })
    expect([host, cookie.split('=')[0], sent]).toEqual([host, '__Host-flagmeter', [...flags, 'Secure']])
    expect((await read(server, cookie, { host })).status).toBe(200)
    // Without its prefix, another host of the domain could have set it.
    expect((await read(server, cookie.replace('__Host-', ''), { host })).status).toBe(401)
  }
})

test('a session has the same scopes and tenant as its key', async () => {
  const server = await createTestServer()
  const tenant = await tenantId(server.ctx)
  const { key } = await createKey(server.ctx.database, 'test', { name: 'wall', scopes: ['read'], tenantId: tenant })
  const { cookie, body } = await signIn(server, key)
  expect(body).toEqual({
    keyName: 'wall',
    scopes: ['read'],
    dimensions: [],
    tenant,
    tenantName: 'acme-corp',
    expiresAt: expect.any(String),
  })
  expect(Math.abs(Date.parse(body.expiresAt) - Date.now() - 7 * DAY_MS)).toBeLessThan(60_000)
  expect((await read(server, `other=1; ${cookie}; more=2`)).body).toEqual(body)
  expect((await call(server, 'GET', '/api/usage', { cookie })).body.tenants).toHaveLength(1)
  expect((await call(server, 'GET', '/api/usage/globex-inc', { cookie })).status).toBe(403)
  const own = { cookie, origin: server.url }
  expect((await call(server, 'POST', '/api/tenants', own, { name: 'x' })).status).toBe(403)
  const { key: ingest } = await createKey(server.ctx.database, 'test', { name: 'app', scopes: ['ingest'] })
  expect(await signIn(server, ingest)).toMatchObject({ status: 403, cookie: '' })
})

test('a change with the cookie must come from the page itself; with a key, from anywhere', async () => {
  const server = await createTestServer({ TRUSTED_PROXIES: '1' })
  const host = 'meter.example.com'
  const { cookie } = await signIn(server, KEY, { host })
  const create = (name: string, headers: Record<string, string>) =>
    call(server, 'POST', '/api/tenants', { host, ...headers }, { name })
  for (const origin of [
    undefined,
    'null',
    'https://evil.example.com',
    'https://example.com',
    'https://meter.example.com:8443',
    'https://meter.example.com.evil.com',
    'meter.example.com',
    'http://meter.example.com',
    'ftp://meter.example.com',
  ]) {
    const answer = await create('stolen', { cookie, ...(origin !== undefined && { origin }) })
    expect([origin, answer.status, answer.body.code]).toEqual([origin, 403, 'forbidden'])
    expect((await call(server, 'DELETE', '/api/session', { host, cookie, origin: origin ?? '' })).status).toBe(403)
  }
  expect((await create('a', { cookie, origin: 'https://meter.example.com' })).status).toBe(201)
  const behind = { host: 'api:3000', 'x-forwarded-host': host, cookie, origin: 'https://meter.example.com' }
  expect((await create('b', behind)).status).toBe(201)
  expect((await create('c', { ...AUTHORIZATION, origin: 'https://evil.example.com' })).status).toBe(201)
  const names = (await server.get('/api/tenants')).body.tenants.map(({ name }: any) => name)
  expect(names).toEqual(['a', 'acme-corp', 'b', 'c', 'globex-inc', 'initech-llc'])
})

test('a session ends on sign-out, with its key, or when it expires: in every process within a second', async () => {
  let now = Date.now()
  const server = await createTestServer({}, { clock: () => now })
  const { ctx } = server
  const other = await createTestServer({ DATABASE_URL: server.databaseUrl }, { clock: () => now })
  const ends = async (cookie: string) => {
    await until(async () => (await read(server, cookie)).status === 401, atMost(1_500))
    await until(async () => (await read(other, cookie)).status === 401, atMost(1_500))
  }
  const open = async (key = KEY) => {
    const { cookie } = await signIn(server, key)
    expect([(await read(server, cookie)).status, (await read(other, cookie)).status]).toEqual([200, 200])
    return cookie
  }
  const [left, kept, revoked] = [
    await open(),
    await open(),
    await createKey(ctx.database, 'test', { name: 'k', scopes: ['read'] }),
  ]
  const out = await call(server, 'DELETE', '/api/session', { cookie: left, origin: server.url })
  expect([out.status, out.body, out.cookie]).toEqual([204, undefined, expect.stringMatching(/^flagmeter=;.*Max-Age=0/)])
  await ends(left)
  expect(await read(server, left)).toMatchObject({
    body: { detail: 'the session has ended; sign in again' },
    cookie: expect.stringMatching(/^flagmeter=;.*Max-Age=0/),
  })
  const ofRevoked = await open(revoked.key)
  await revokeKey(ctx.database, 'test', revoked.id)
  await ends(ofRevoked)
  const soon = new Date(now + 60_000).toISOString()
  const short = await createKey(ctx.database, 'test', { name: 'k', scopes: ['read'], expiresAt: soon })
  const ofShort = await signIn(server, short.key)
  expect(ofShort.body.expiresAt).toBe(soon)
  expect((await read(server, kept)).status).toBe(200)
  now += 61_000
  await ends(ofShort.cookie)
  now += 7 * DAY_MS
  await ends(kept)
  await open()
  expect(await ctx.database`select from sessions`).toHaveLength(1)
})

test('a session is not accepted as a key, nor a key as a session, and neither prolongs the other', async () => {
  const server = await createTestServer()
  const { cookie } = await signIn(server)
  const session = cookie.replace('flagmeter=', '')
  expect((await call(server, 'GET', '/api/session', bearer(session))).status).toBe(401)
  expect((await read(server, `flagmeter=${KEY}`)).status).toBe(401)
  const again = await call(server, 'POST', '/api/session', { cookie, origin: server.url })
  expect([again.status, again.cookie]).toEqual([401, undefined])
  expect((await signIn(server, KEY, { cookie })).status).toBe(201) // replaces the first
  await until(async () => (await read(server, cookie)).status === 401, atMost(1_500))
  // The caller's own header takes precedence over the cookie that the browser adds.
  expect((await call(server, 'GET', '/api/session', { cookie, ...bearer(newKey()) })).status).toBe(401)
  const rows = await server.ctx.database`select encode(hash, 'hex') as hash from sessions`
  expect(rows).toHaveLength(1)
  expect(rows[0]!.hash).not.toBe(hashKey(session))
})

test('guessing sessions is limited like guessing keys, and does not affect other sessions', async () => {
  const server = await createTestServer()
  const { cookie } = await signIn(server)
  expect((await read(server, cookie)).status).toBe(200)
  const statuses: number[] = []
  for (let i = 0; i < 25; i++) statuses.push((await read(server, `flagmeter=${newSession()}`)).status)
  expect(statuses).toEqual([...Array.from({ length: 20 }, () => 401), ...Array.from({ length: 5 }, () => 429)])
  expect((await read(server, cookie)).status).toBe(200)
})

test('while the database is down, signed-in users stay signed in', async () => {
  const ctx = await createContext()
  const proxy = await createProxy(ctx.databaseUrl)
  const server = await createTestServer({ DATABASE_URL: proxy.url })
  const { cookie } = await signIn(server)
  expect((await read(server, cookie)).status).toBe(200)
  proxy.set('closed')
  await sleep(1_200)
  expect((await read(server, cookie)).status).toBe(200)
  expect((await signIn(server)).status).toBe(503)
})

test('wrong keys do not lock out users who sign in with a key in use', async () => {
  const server = await createTestServer()
  const list = (key: string) => call(server, 'GET', '/api/tenants', bearer(key))
  expect((await list(KEY)).status).toBe(200)
  for (let i = 0; i < 25; i++) await list(newKey())
  expect((await list(newKey())).status).toBe(429)
  const { status, cookie } = await signIn(server)
  expect([status, (await read(server, cookie)).status]).toEqual([201, 200])
})
