import { expect, test } from 'vitest'
import { loadHandlers } from '../cli/_handlers.ts'
import { endpointsOf } from '../cli/_serving.ts'
import { verify } from '../cli/verify.ts'
import { runCli } from './_cli.ts'
import { createTestServer } from './_context.ts'
import { tenantId } from './_deliveries.ts'

const call = { tenant: 'acme-corp', feature: 'chat', model: 'm', user: 'u-17' }
const usage = (tokens: number) => ({ input: tokens })

test('a key that is bound to a user reports and sees that user alone, and can call nothing else', async () => {
  const { ctx, post, get, request, url } = await createTestServer()
  const env = { FLAGMETER_URL: url }
  const made = await runCli(
    ['key', 'create', '--name', 'app', '--scopes', 'ingest,read', '--tenant', 'acme-corp', '--user', 'u-17', '--json'],
    env,
  )
  const own = { authorization: `Bearer ${JSON.parse(made.out).key}` }
  await post('/api/quotas', { tenant: 'acme-corp', per: 'user', period: 'day', tokenLimit: 1_000 })
  const event = { feature: 'chat', model: 'gpt-4o', usage: usage(100) }
  expect((await post('/api/events', event, own)).status).toBe(201)
  expect((await post('/api/events', { ...event, user: 'u-17' }, own)).status).toBe(201)
  const mixed = await post('/api/events', [event, { ...event, user: 'u-18' }], own)
  expect([mixed.status, mixed.body.accepted, mixed.body.results[1].problem.code]).toEqual([207, 1, 'forbidden'])
  expect((await post('/api/check', { feature: 'chat', tokens: 701 }, own)).body).toMatchObject({ allowed: false })
  expect((await post('/api/check', { feature: 'chat', tokens: 1, user: 'u-18' }, own)).status).toBe(403)
  const { body: held } = await post('/api/reservations', { feature: 'chat', tokens: 700 }, own)
  expect(held).toMatchObject({ remaining: 0 })
  const { body: foreign } = await post('/api/reservations', { ...call, user: 'u-18', tokens: 5 })
  expect((await post(`/api/reservations/${foreign.id}/release`, undefined, own)).status).toBe(404)
  expect((await post(`/api/reservations/${held.id}/settle`, { tokens: 600 }, own)).status).toBe(200)
  const seen = await get('/api/usage/acme-corp', own)
  expect(seen.body).toMatchObject({
    user: 'u-17',
    totalTokens: 900,
    quotas: [{ user: 'u-17', totalTokens: 900, reservedTokens: 0 }],
  })
  expect((await get('/api/usage/acme-corp?user=u-17')).body).toEqual(seen.body)
  expect((await runCli(['usage', 'acme-corp', '--user', 'u-17'], env)).out).toMatch(/u-17 +900 +4 /)
  for (const path of ['/api/usage/acme-corp?user=u-18', '/api/usage/acme-corp?by=user', '/api/usage/globex-inc'])
    expect([path, (await get(path, own)).status]).toEqual([path, 403])
  const open = ['/api/events', '/api/check', '/api/reservations', '/api/usage/:tenant']
  for (const { handler: endpoint } of endpointsOf(await loadHandlers([]))) {
    if (
      endpoint.auth === 'none' ||
      open.some((path) => endpoint.path.startsWith(path) && !/series/.test(endpoint.path))
    )
      continue
    const path = endpoint.path.replace(':tenant', 'acme-corp').replaceAll(/:\w+/g, crypto.randomUUID())
    const { status } = await request(endpoint.method, path, endpoint.body ? {} : undefined, own)
    expect([endpoint.method, path, status]).toEqual([endpoint.method, path, 403])
  }
  expect((await post('/api/session', { key: JSON.parse(made.out).key }, own)).status).toBe(403)
  for (const [body, field] of [
    [{ name: 'k', scopes: ['read'], user: 'u' }, 'tenant'],
    [{ name: 'k', scopes: ['admin'], tenant: 'acme-corp', user: 'u' }, 'scopes'],
  ] as const)
    expect(await post('/api/keys', body)).toMatchObject({ status: 400, body: { errors: [{ field }] } })
  expect(await verify(ctx.database)).toEqual([])
})

test('a user who is forgotten leaves no trace, and what the user has used stays counted', async () => {
  const { ctx, post, get, request, url } = await createTestServer()
  const env = { FLAGMETER_URL: url }
  const { body: quota } = await post('/api/quotas', {
    tenant: 'acme-corp',
    per: 'user',
    period: 'day',
    tokenLimit: 100,
  })
  const names = ['person "1"', 'person 2', 'u-18']
  for (const user of names) {
    await request('PUT', `/api/quotas/${quota.id}/users/${encodeURIComponent(user)}`, { tokenLimit: 90 })
    await post('/api/keys', { name: 'k', scopes: ['read'], tenant: 'acme-corp', user })
    await post('/api/events', { ...call, model: 'gpt-4o', user, usage: usage(80) })
    await post('/api/reservations', { ...call, user, tokens: 5 })
    const detail = JSON.stringify({ tenantId: await tenantId(ctx), detail: { user } })
    await ctx.database`insert into dead_letters (id, payload, reason) values (gen_random_uuid(), ${detail}, 'x')`
  }
  const before = (await get('/api/usage/acme-corp')).body
  for (const user of names.slice(0, 2))
    expect((await runCli(['user', 'forget', 'acme-corp', user], env)).out).toBe('3 events looked at, 1 of the user\n')
  expect((await runCli(['user', 'forget', 'acme-corp', 'person 2'], env)).out).toBe(
    '3 events looked at, 0 of the user\n',
  )
  const tables = await ctx.database<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = current_schema() and table_type = 'BASE TABLE'`
  expect(tables.length).toBeGreaterThan(20)
  for (const { name } of tables) {
    const [row] = await ctx.database.unsafe<{ found: number; kept: number }[]>(
      `select count(*) filter (where t::text like '%person%')::int as found from ${name} as t`,
    )
    expect([name, row!.found]).toEqual([name, 0])
  }
  expect((await get('/api/usage/acme-corp')).body).toEqual(before)
  expect((await get('/api/usage/acme-corp?by=user')).body.values).toMatchObject([
    { value: '(forgotten)', totalTokens: 160, eventCount: 2 },
    { value: 'u-18', totalTokens: 80 },
  ])
  expect((await get('/api/alerts')).body.alerts.length).toBe(3)
  const keys = (await get('/api/keys')).body.keys.filter(({ user }: { user?: string }) => user === '(forgotten)')
  expect(keys.map(({ revokedAt }: { revokedAt?: string }) => revokedAt !== undefined)).toEqual([true, true])
  expect((await post('/api/events', { ...call, user: '(forgotten)', tokens: 1 })).status).toBe(400)
  expect(await verify(ctx.database)).toEqual([])
})
