import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { loadHandlers } from '../cli/_handlers.ts'
import { endpointsOf } from '../cli/_serving.ts'
import { type HttpHandler, handler as declare, json } from '../lib/http/endpoint.ts'
import { SCOPES } from '../lib/auth/scope.ts'
import { createHttpServer } from '../lib/http/server.ts'
import { newKey } from '../lib/auth/key.ts'
import { createKey, revokeKey } from '../lib/admin/keys.ts'
import { createContext, createTestServer, until } from './_context.ts'
import { atMost, count } from './_counts.ts'
import { addWebhook, cross, deliveries, tenantId } from './_deliveries.ts'
import { createProxy } from './_proxy.ts'

const endpoints = endpointsOf(await loadHandlers([])).map(({ name, handler }) => ({ name, handler }))
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

/** The wrong keys come from many addresses: these tests are not about the limit on guesses. */
const MANY = { LIMIT_REQUESTS: '0', TRUSTED_PROXIES: '1' }
const elsewhere = () => ({ 'x-forwarded-for': `10.${[0, 0, 0].map(() => Math.floor(Math.random() * 256)).join('.')}` })

const NOBODY = '00000000-0000-4000-8000-000000000000'
type Whose = 'own' | 'other'

/**
 * A server with keys of every scope, bound to acme-corp and unbound, valid, expired and revoked; and data of two
 * tenants to ask for.
 */
async function createScene() {
  const server = await createTestServer(MANY)
  const { ctx } = server
  const keys: Record<string, string> = {}
  const own = await tenantId(ctx)
  for (const scope of SCOPES) {
    for (const kind of ['any', 'bound']) {
      const make = (expiresAt?: string) =>
        createKey(ctx.database, 'test', {
          name: 'k',
          scopes: [scope],
          expiresAt,
          ...(kind === 'bound' && { tenantId: own }),
        })
      const revoked = await make()
      await revokeKey(ctx.database, 'test', revoked.id)
      keys[`${scope} ${kind}`] = (await make()).key
      keys[`${scope} ${kind} expired`] = (await make('2020-01-01T00:00:00Z')).key
      keys[`${scope} ${kind} revoked`] = revoked.key
    }
  }
  const [, file = ''] = /\/assets\/(main-[^"]+)/.exec((await server.get('/')).body) ?? []
  const targets = {} as Record<Whose, Record<string, string>>
  for (const [whose, tenant] of [
    ['own', 'acme-corp'],
    ['other', 'globex-inc'],
  ] as const) {
    const id = await tenantId(ctx, tenant)
    const webhook = await addWebhook(ctx, id, 'https://example.com/')
    await cross(ctx, 80, tenant)
    const delivery = (await deliveries(ctx)).find((row: any) => row.tenant_id === id)!.id
    const made = await server.post('/api/quotas', { tenant, period: 'day', tokenLimit: 10 })
    const reservation = (await server.post('/api/reservations', { tenant, feature: 'x', tokens: 1 })).body.id
    targets[whose] = { tenant, webhook, delivery, quota: made.body.id, reservation, key: NOBODY, file }
  }

  /** A request that passes the key check but changes nothing: an invalid body, an id that does not exist. */
  function call(endpoint: HttpHandler, whose: Whose, headers: Record<string, string>) {
    const target = targets[whose]
    const path = endpoint.path.replaceAll(/:(\w+)/g, (_, name: string) => target[name]!)
    const named = endpoint.tenancy === 'named' && !endpoint.path.includes(':tenant')
    const tenant = named || endpoint.path === '/api/events' ? { tenant: target.tenant } : {}
    const body = endpoint.body ? { ...tenant, nothing: 1 } : undefined
    const safe = endpoint.method === 'DELETE' && /:\w+$/.test(endpoint.path) ? path.replace(/[^/]+$/, NOBODY) : path
    const search = named && !endpoint.body ? `?tenant=${target.tenant}` : ''
    return server.request(endpoint.method, safe + search, body, { authorization: '', ...elsewhere(), ...headers })
  }
  return { server, keys, call }
}

test('no route admits a missing, mistyped, unknown, expired or revoked key', async () => {
  const { keys, call } = await createScene()
  const bad: Record<string, string>[] = [{}, bearer('x'), bearer(`${newKey().slice(0, -1)}_`), bearer(newKey())]
  bad.push({ authorization: `Basic ${keys['admin any']}` }, { authorization: `Bearer${keys['admin any']}` })
  for (const [name, key] of Object.entries(keys)) if (/revoked|expired/.test(name)) bad.push(bearer(key))
  for (const { handler: endpoint } of endpoints) {
    for (const headers of bad) {
      const { status, body, headers: sent } = await call(endpoint, 'own', headers)
      const about = [endpoint.path, headers]
      if (endpoint.auth === 'none') expect([...about, status]).toEqual([...about, 200])
      else expect([...about, status, body.code]).toEqual([...about, 401, 'unauthorized'])
      if (endpoint.auth !== 'none') expect(sent.get('www-authenticate')).toMatch(/^Bearer/)
    }
  }
})

test('every route enforces every scope, for its own and another tenant; a new route cannot escape', async () => {
  const { call, keys } = await createScene()
  for (const { handler: endpoint } of endpoints) {
    const isOpen = endpoint.auth === 'none'
    for (const scope of SCOPES) {
      for (const kind of ['any', 'bound'] as const) {
        for (const whose of ['own', 'other'] as const) {
          const { status, body } = await call(endpoint, whose, bearer(keys[`${scope} ${kind}`]!))
          const about = [endpoint.method, endpoint.path, scope, kind, whose]
          const bound = kind === 'bound' && !isOpen
          const lacksScope = !isOpen && scope !== endpoint.auth && scope !== 'admin'
          const closed = bound && (endpoint.tenancy ?? 'all') === 'all'
          const foreign = bound && whose === 'other' && endpoint.tenancy === 'named'
          if (lacksScope || closed || foreign)
            expect([...about, status, body.code]).toEqual([...about, 403, 'forbidden'])
          else if (
            bound &&
            whose === 'other' &&
            /:(webhook|delivery|quota|reservation)/.test(endpoint.path) &&
            !endpoint.body
          ) {
            expect([...about, status]).toEqual([...about, 404])
          } else
            expect([...about, status, [401, 403].includes(status) || status >= 500]).toEqual([...about, status, false])
        }
      }
    }
  }
})

test('what a key must not see looks the same whether it exists or not', async () => {
  const { server, keys } = await createScene()
  const own = bearer(keys['admin bound']!)
  for (const path of ['/api/usage/', '/api/tenants/']) {
    const [there, nowhere] = [await server.get(`${path}globex-inc`, own), await server.get(`${path}nobody`, own)]
    expect([there.status, there.body]).toEqual([403, nowhere.body])
  }
  const event = { feature: 'x', tokens: 1 }
  const [there, nowhere] = await Promise.all(
    ['globex-inc', 'nobody'].map((tenant) => server.post('/api/events', { tenant, ...event }, own)),
  )
  expect([there!.status, there!.body]).toEqual([403, nowhere!.body])
})

test("a tenant's key may omit the tenant, sees only itself, and is refused per event in a batch", async () => {
  const { ctx, post, get } = await createTestServer()
  const own = await tenantId(ctx)
  const key = bearer((await createKey(ctx.database, 'test', { name: 'k', scopes: ['admin'], tenantId: own })).key)
  expect((await post('/api/events', { feature: 'x', tokens: 5 }, key)).status).toBe(201)
  expect((await post('/api/events', { tenant: own.toUpperCase(), feature: 'x', tokens: 5 }, key)).status).toBe(201)
  const batch = await post(
    '/api/events',
    [
      { feature: 'x', tokens: 1 },
      { tenant: 'globex-inc', feature: 'x', tokens: 1 },
    ],
    key,
  )
  expect([batch.status, batch.body.results[1].problem.code]).toEqual([207, 'forbidden'])
  expect(
    (await get('/api/usage', key)).body.tenants.map((tenant: any) => [tenant.tenantName, tenant.totalTokens]),
  ).toEqual([['acme-corp', 11]])
  await cross(ctx, 80, 'globex-inc')
  expect((await get('/api/alerts', key)).body.alerts).toEqual([])
  const webhook = await post('/api/webhooks', { kind: 'slack', url: 'https://example.com/' }, key)
  expect([webhook.status, webhook.body.tenant]).toEqual([201, own])
  const webhooks = (await get('/api/webhooks', key)).body.webhooks
  expect(webhooks.every(({ tenant }: any) => tenant === own)).toBe(true)
  const foreign = await addWebhook(ctx, await tenantId(ctx, 'globex-inc'), 'https://example.com/')
  await cross(ctx, 90, 'globex-inc')
  expect((await post('/api/deliveries/retry', { webhook: foreign }, key)).body).toEqual({ retried: 0, more: false })
})

const REVOCATIONS = count(50, 1_000)

test(`${REVOCATIONS} revocations under load: every server refuses each key within a second`, async () => {
  const servers = [await createTestServer(MANY)]
  servers.push(await createTestServer({ ...MANY, DATABASE_URL: servers[0]!.databaseUrl }))
  const { ctx } = servers[0]!
  const keys = await Promise.all(
    Array.from({ length: REVOCATIONS }, () => createKey(ctx.database, 'test', { name: 'k', scopes: ['read'] })),
  )
  const revokedAt = new Map<string, number>()
  const late: number[] = []
  let running = true
  let calls = 0
  const users = servers.flatMap(({ url }) =>
    Array.from({ length: 8 }, async () => {
      while (running) {
        const { key } = keys[Math.floor(Math.random() * keys.length)]!
        const startedAt = performance.now()
        const { status } = await fetch(`${url}/api/alerts?limit=1`, { headers: { ...bearer(key), ...elsewhere() } })
        const since = startedAt - (revokedAt.get(key) ?? Infinity)
        if (status === 200 && since > 0) late.push(since)
        else if (status !== 200) expect(status).toBe(401)
        calls++
      }
    }),
  )
  await sleep(500)
  for (const { id, key } of keys) {
    await revokeKey(ctx.database, 'test', id)
    revokedAt.set(key, performance.now())
  }
  await sleep(1_500)
  running = false
  await Promise.all(users)
  expect(calls).toBeGreaterThan(REVOCATIONS)
  expect(Math.max(0, ...late)).toBeLessThan(atMost(1_000))
})

test('while the database is down, keys that were valid stay valid, and no others get in', async () => {
  const server = await createTestServer()
  const proxy = await createProxy(server.databaseUrl)
  const other = await createTestServer({ DATABASE_URL: proxy.url, LIMIT_REQUESTS: '0' })
  const live = async (key: string) => (await other.get('/metrics', bearer(key))).status
  const { key } = await createKey(server.ctx.database, 'test', { name: 'k', scopes: ['read'] })
  expect(await live(key)).toBe(200)
  proxy.set('closed')
  for (const end = Date.now() + 3_000; Date.now() < end; await sleep(100)) expect(await live(key)).toBe(200)
  expect(await live(newKey())).toBe(503)
  proxy.set('open')
  await until(async () => (await live(newKey())) === 401)
  expect(await live(key)).toBe(200)
})

test('a key stops working the moment it expires', async () => {
  const { ctx, get } = await createTestServer()
  const expiresAt = new Date(Date.now() + 700).toISOString()
  const { key } = await createKey(ctx.database, 'test', { name: 'k', scopes: ['read'], expiresAt })
  let status = 200
  while (Date.now() < Date.parse(expiresAt)) {
    status = (await get('/api/alerts', bearer(key))).status
    if (Date.now() < Date.parse(expiresAt)) expect(status).toBe(200)
  }
  expect((await get('/api/alerts', bearer(key))).status).toBe(401)
})

test('an endpoint that needs no key gets no caller that could pass for an unbound one', async () => {
  let given: object = {}
  const open = declare({
    method: 'GET',
    path: '/open',
    auth: 'none',
    summary: '',
    answers: {},
    handle(_ctx, call) {
      given = call
      // @ts-expect-error: a handler that asks for one does not compile
      return json(200, { caller: String(call.caller) })
    },
  })
  const ctx = await createContext()
  const server = createHttpServer(ctx, [open])
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/open`
  const { key } = await createKey(ctx.database, 'test', { name: 'k', scopes: ['admin'] })
  for (const headers of [{}, bearer(key)]) {
    expect(await (await fetch(url, { headers })).json()).toEqual({ caller: 'undefined' })
    expect(given).not.toHaveProperty('caller')
  }
})
