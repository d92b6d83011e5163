import { randomUUID } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import prune from '../handlers/prune.ts'
import { isKey, newKey } from '../lib/auth/key.ts'
import { runCli, startCli } from './_cli.ts'
import { createDatabase, createTestServer, until } from './_context.ts'
import { addWebhook, cross, tenantId } from './_deliveries.ts'
import { emptyFolder } from './_folder.ts'
import { KEY } from './_key.ts'
import { freePort } from './_valkey.ts'

const NOBODY = '00000000-0000-4000-8000-000000000000'

test('twenty servers starting at once create one admin key, in a file that only its owner can read', async () => {
  const DATABASE_URL = await createDatabase()
  const FLAGMETER_DIR = await emptyFolder()
  const ports = await Promise.all(Array.from({ length: 20 }, freePort))
  const env = { DATABASE_URL, FLAGMETER_DIR, FLAGMETER_ADMIN_KEY: '', FLAGMETER_KEY: '' }
  const servers = ports.map((port) => startCli(['serve', 'usage-list'], { ...env, PORT: String(port) }))
  await until(() => servers.every(({ output }) => output().includes('"serving"')), 90_000)
  await until(() => servers.some(({ output }) => output().includes('made the first admin key')))
  const file = join(FLAGMETER_DIR, 'admin-key')
  const key = (await readFile(file, 'utf8')).trim()
  expect([isKey(key), (await stat(file)).mode & 0o777]).toEqual([true, 0o600])
  for (const port of ports) {
    const answer = await fetch(`http://127.0.0.1:${port}/api/usage`, { headers: { authorization: `Bearer ${key}` } })
    expect(answer.status).toBe(200)
  }
  const printed = servers.filter(({ output }) => output().includes('made the first admin key'))
  expect([printed.length, printed[0]!.output().includes(file)]).toEqual([1, true])
  for (const { output } of servers) expect(output()).not.toContain(key)
  const keys = JSON.parse((await runCli(['key', 'list', '--direct', '--json'], env)).out)
  expect(keys.map(({ name, scopes }: any) => [name, scopes])).toEqual([
    ['first admin key', ['ingest', 'read', 'admin']],
  ])
})

test('the first key may be given; mistyped keys and unwritable folders are refused at start', async () => {
  const DATABASE_URL = await createDatabase()
  const given = newKey()
  const PORT = String(await freePort())
  const server = startCli(['serve', 'usage-list'], { DATABASE_URL, FLAGMETER_ADMIN_KEY: given, PORT })
  const ask = (key: string) =>
    fetch(`http://127.0.0.1:${PORT}/api/usage`, { headers: { authorization: `Bearer ${key}` } })
  await until(async () => (await ask(given).catch(() => undefined))?.status === 200)
  server.child.kill('SIGKILL')
  const late = startCli(['serve', 'usage-list'], {
    DATABASE_URL,
    FLAGMETER_ADMIN_KEY: newKey(),
    PORT: String(await freePort()),
  })
  await until(() => late.output().includes('FLAGMETER_ADMIN_KEY is not used: the database has another admin key'))
  const wrong = await runCli(['serve'], { DATABASE_URL, FLAGMETER_ADMIN_KEY: 'secret' })
  expect([wrong.code, wrong.err]).toEqual([
    2,
    'flagmeter: FLAGMETER_ADMIN_KEY is not a key: a key begins with fm_; flagmeter key generate prints one\n',
  ])
  const empty = await createDatabase()
  const lost = startCli(['serve', 'usage-list'], {
    DATABASE_URL: empty,
    FLAGMETER_ADMIN_KEY: '',
    FLAGMETER_DIR: '/dev/null/x',
    PORT: String(await freePort()),
  })
  await until(() => lost.output().includes("can't write the first admin key to /dev/null/x/admin-key"))
})

test('tenants are created, read, listed, changed and deleted over HTTP; bad input names its field', async () => {
  const { request, get, post } = await createTestServer()
  const made = await post('/api/tenants', {
    name: 'ünïcode & co',
    monthlyQuota: 5,
    billingDay: 31,
    timezone: 'Asia/Tokyo',
    thresholds: [90, 50, 90],
  })
  expect(made.status).toBe(201)
  expect(made.body).toEqual({
    id: expect.any(String),
    name: 'ünïcode & co',
    monthlyQuota: 5,
    monthlyHard: true,
    billingDay: 31,
    timezone: 'Asia/Tokyo',
    thresholds: [50, 90],
    failMode: 'default',
    createdAt: expect.any(String),
  })
  const path = `/api/tenants/${encodeURIComponent('ünïcode & co')}`
  expect((await get(path)).body).toEqual(made.body)
  expect(
    (await request('PATCH', path, { name: 'plain', monthlyQuota: 6, monthlyHard: false, failMode: 'open' })).body,
  ).toEqual({
    ...made.body,
    name: 'plain',
    monthlyQuota: 6,
    monthlyHard: false,
    failMode: 'open',
  })
  const names: string[] = []
  for (let after = ''; ;) {
    const { body } = await get(`/api/tenants?limit=2${after}`)
    names.push(...body.tenants.map((tenant: any) => tenant.name))
    if (!body.next) break
    after = `&after=${body.next}`
  }
  expect(names).toEqual(['acme-corp', 'globex-inc', 'initech-llc', 'plain'])
  for (const [method, at, body, status, code, field] of [
    ['POST', '', { name: 'acme-corp' }, 409, 'tenant_exists', undefined],
    ['POST', '', { name: randomUUID() }, 400, 'invalid_request', 'name'],
    ['POST', '', { name: 'x', billingDay: 32 }, 400, 'invalid_request', 'billingDay'],
    ['POST', '', { name: 'x', timezone: 'Mars/Base' }, 400, 'invalid_request', 'timezone'],
    ['POST', '', { name: 'x', thresholds: [0] }, 400, 'invalid_request', 'thresholds.0'],
    ['PATCH', '/plain', { monthlyQuota: '5' }, 400, 'invalid_request', 'monthlyQuota'],
    ['PATCH', '/plain', { failMode: 'ajar' }, 400, 'invalid_request', 'failMode'],
    ['PATCH', '/plain', {}, 400, 'invalid_request', ''],
    ['PATCH', '/nobody', { billingDay: 1 }, 404, 'tenant_not_found', 'tenant'],
    ['DELETE', '/nobody', undefined, 404, 'tenant_not_found', 'tenant'],
    ['GET', '?after=***', undefined, 400, 'invalid_request', 'after'],
  ] as const) {
    const answer = await request(method, `/api/tenants${at}`, body)
    expect([method, at, body, answer.status, answer.body.code, answer.body.errors?.[0]?.field]).toEqual([
      method,
      at,
      body,
      status,
      code,
      field,
    ])
  }
})

test('a deleted tenant is gone at once, its events and rollups soon after; verify passes throughout', async () => {
  const { ctx, request, get, post } = await createTestServer()
  const id = await tenantId(ctx)
  const key = (await post('/api/keys', { name: 'k', scopes: ['read'], tenant: 'acme-corp' })).body.key
  await addWebhook(ctx, id, 'https://example.com/')
  await cross(ctx)
  await post('/api/quotas', { tenant: 'acme-corp', period: 'day', tokenLimit: 10 })
  await post('/api/reservations', { tenant: 'acme-corp', feature: 'x', tokens: 10 })
  const events = Array.from({ length: 6_000 }, (_, i) => ({ tenant: 'acme-corp', feature: `f${i}`, tokens: 1 }))
  await post('/api/events', events)
  await post('/api/events', { tenant: 'globex-inc', feature: 'x', tokens: 1 })
  expect((await request('DELETE', '/api/tenants/acme-corp')).body.id).toBe(id)
  expect(await verify(ctx.database)).toEqual([])
  expect([(await get('/api/usage/acme-corp')).status, (await get(`/api/tenants/${id}`)).status]).toEqual([404, 404])
  await until(async () => (await get('/api/usage', { authorization: `Bearer ${key}` })).status === 401)
  expect((await post('/api/events', { tenant: 'acme-corp', feature: 'x', tokens: 1 })).status).toBeGreaterThanOrEqual(
    400,
  )
  await prune.consume(ctx, new AbortController().signal)
  for (const table of [
    'events',
    'rollups',
    'usage_periods',
    'usage_features',
    'usage_hours',
    'quotas',
    'reservations',
    'webhooks',
    'alerts',
    'deliveries',
    'api_keys',
  ]) {
    expect([table, await ctx.database.unsafe(`select 1 from ${table} where tenant_id = '${id}'`)]).toEqual([table, []])
  }
  expect(await ctx.database`select 1 from deleted_tenants`).toEqual([])
  expect((await ctx.database`select count(*)::int as n from events`)[0]!.n).toBe(1)
  expect(await verify(ctx.database)).toEqual([])
  expect((await post('/api/tenants', { name: 'acme-corp' })).status).toBe(201)
})

test('every change of a tenant, webhook or key is in the audit log, without secrets', async () => {
  const { ctx, request, get, post, databaseUrl } = await createTestServer()
  await request('PATCH', '/api/tenants/acme-corp', { monthlyQuota: 7 })
  const url = 'https://hooks.slack.com/services/geheim'
  const webhook = (await post('/api/webhooks', { tenant: 'acme-corp', kind: 'standard', url })).body
  await post(`/api/webhooks/${webhook.id}/rotate`, {})
  await request('DELETE', `/api/webhooks/${webhook.id}`)
  const key = (await post('/api/keys', { name: 'app', scopes: ['read'] })).body
  await request('DELETE', `/api/keys/${key.id}`)
  await runCli(['tenant', 'update', 'acme-corp', '--name', 'acme', '--direct'], { DATABASE_URL: databaseUrl })
  await ctx.database`update tenants set billing_day = 3 where name = 'acme'`
  const { entries } = (await get('/api/audit?limit=8')).body
  expect(entries.map(({ actor, action }: any) => [actor.replace(/ \(.*/, ''), action])).toEqual([
    ['database user flagmeter', 'tenant.updated'],
    ['cli', 'tenant.updated'],
    ['key first admin key', 'key.updated'],
    ['key first admin key', 'key.created'],
    ['key first admin key', 'webhook.deleted'],
    ['key first admin key', 'webhook.updated'],
    ['key first admin key', 'webhook.created'],
    ['key first admin key', 'tenant.updated'],
  ])
  expect([entries[7].before.monthly_quota, entries[7].after.monthly_quota]).toEqual([1_000_000, 7])
  expect(entries[4].before.url).toBe('https://hooks.slack.com/…')
  expect(JSON.stringify(entries)).not.toMatch(/geheim|whsec|"hash"/)
  const own = (await get(`/api/audit?tenant=${webhook.tenant}`)).body.entries
  expect(own.every(({ tenant }: any) => tenant === webhook.tenant)).toBe(true)
  const quota = { tenant: 'acme', feature: 'x', period: 'day', tokenLimit: 50_000, hard: false }
  await post('/api/quotas', quota)
  const { out } = await runCli(['audit', 'acme', '--direct'], { DATABASE_URL: databaseUrl })
  expect(out).toMatch(/cli +tenant.updated +acme +acme +name: "acme-corp" → "acme"/)
  expect(out).toMatch(/quota.created +acme +50,000 x tokens per day, soft/)
})

test('the key commands create, list, revoke and generate keys, and explain their mistakes', async () => {
  const { url, databaseUrl } = await createTestServer()
  const env = { DATABASE_URL: databaseUrl, FLAGMETER_URL: url }
  const made = await runCli(
    ['key', 'create', '--name', 'app', '--scopes', 'ingest,read', '--tenant', 'acme-corp', '--expires', '90d'],
    env,
  )
  expect([made.code, made.out]).toEqual([
    0,
    expect.stringMatching(
      /app +ingest,read +acme-corp +until \d{4}-\d\d-\d\d +never [^]*the key, shown this once: fm_\w{36}\n$/,
    ),
  ])
  const key = /fm_\w{36}/.exec(made.out)![0]
  expect((await runCli(['send', 'acme-corp', 'x', '1'], { ...env, FLAGMETER_KEY: key })).code).toBe(0)
  expect(await runCli(['send', 'globex-inc', 'x', '1'], { ...env, FLAGMETER_KEY: key })).toMatchObject({
    code: 1,
    err: expect.stringContaining('bound to another tenant'),
  })
  const [{ id }] = JSON.parse((await runCli(['key', 'list', 'acme-corp', '--json'], env)).out)
  expect((await runCli(['key', 'revoke', id], env)).out).toMatch(/^revoked fm_\w{4}… \(app\)\n$/)
  // Revoking takes effect within a second; the command may be faster.
  await until(async () =>
    /revoked: set FLAGMETER_KEY.*`flagmeter key create --direct`/.test(
      (await runCli(['usage'], { ...env, FLAGMETER_KEY: key })).err,
    ),
  )
  expect(isKey((await runCli(['key', 'generate'])).out.trim())).toBe(true)
  for (const [args, code, message] of [
    [['key', 'create', '--name', 'x'], 2, /--scopes <scopes>' not specified/],
    [
      ['key', 'create', '--name', 'x', '--scopes', 'write'],
      2,
      /^flagmeter: --scopes: 'write' is not a scope; use ingest, read, admin\n$/,
    ],
    [
      ['key', 'create', '--name', 'x', '--scopes', 'read', '--expires', 'soon'],
      2,
      /option '--expires <time>' argument 'soon' is invalid. .* 90d, 52w or 1y/,
    ],
    [['key', 'create', '--name', 'x', '--scopes', 'read', '--tenant', 'nobody'], 1, /tenant/],
    [['key', 'revoke', 'x'], 2, /'x' is not the id of a key: `flagmeter key list` shows the ids/],
    [
      ['key', 'revoke', key],
      2,
      /^flagmeter: that is the key itself, not its id: `flagmeter key list` shows the ids\n$/,
    ],
    [['key', 'revoke', NOBODY], 1, /key .*`flagmeter key list` shows the ids/],
    [['tenant', 'delete', 'acme-corp'], 2, /add --yes/],
    [['audit', 'nobody'], 1, /tenant/],
  ] as const) {
    const result = await runCli([...args], env)
    expect([args, result.code, result.err]).toEqual([args, code, expect.stringMatching(message)])
  }
  expect((await runCli(['tenant', 'delete', 'acme-corp', '--yes'], env)).out).toBe('deleted acme-corp\n')
})

test('no log line, at any level, contains a key', async () => {
  const lines: string[] = []
  const sink = new Writable({ write: (chunk: Buffer, _, done) => (lines.push(chunk.toString()), done()) })
  const { get, post } = await createTestServer({}, { log: pino({ level: 'trace' }, sink) })
  const wrong = newKey()
  await get('/api/alerts')
  await get('/api/alerts', { authorization: `Bearer ${wrong}` })
  await get(`/api/alerts?key=${wrong}`)
  await get(`/api/${wrong}`)
  const made = (await post('/api/keys', { name: 'k', scopes: ['read'] })).body.key
  const log = lines.join('')
  expect(log).toContain('/api/alerts')
  for (const key of [KEY, wrong, made]) expect(log).not.toContain(key.slice(3, 20))
})
