import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { loadHandlers } from '../cli/_handlers.ts'
import { endpointsOf } from '../cli/_serving.ts'
import { createKey } from '../lib/admin/keys.ts'
import { createTenant } from '../lib/admin/tenants.ts'
import { keyMistake, newKey } from '../lib/auth/key.ts'
import { createHttpServer } from '../lib/http/server.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { closest } from '../lib/words.ts'
import { KEY } from './_key.ts'
import { createContext, createTestServer } from './_context.ts'
import { tenantId } from './_deliveries.ts'

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const event = (tenant: string) => ({ tenant, feature: 'x', tokens: 1 })
const HOSTILE = '<script>alert(1)</script>\u202E\u2028\u200B\u{E0041}"\'\\'

describe('an unknown tenant', () => {
  test('is named, with the nearest existing name and how to create it', async () => {
    const { get, post } = await createTestServer()
    const wanted = {
      code: 'tenant_not_found',
      detail:
        "tenant 'acme-crop' does not exist; did you mean 'acme-corp'? " +
        'POST /api/tenants and flagmeter tenant create make one',
      errors: [{ field: 'tenant', detail: "'acme-crop' does not exist; did you mean 'acme-corp'?" }],
    }
    for (const path of ['/api/usage/acme-crop', '/api/tenants/acme-crop', '/api/alerts?tenant=acme-crop'])
      expect((await get(path)).body).toMatchObject(wanted)
    for (const path of ['/api/events', '/api/check', '/api/reservations'])
      expect((await post(path, event('acme-crop'))).body).toMatchObject(wanted)
    const batch = await post('/api/events', [event('acme-corp'), event('acme-crop'), event('acme-crop')])
    expect(batch.body.results.map(({ problem }: any) => problem?.detail)).toEqual([
      undefined,
      wanted.detail,
      wanted.detail,
    ])
    expect((await get('/api/usage/nobody')).body.detail).toBe(
      "tenant 'nobody' does not exist; POST /api/tenants and flagmeter tenant create make one",
    )
    const id = '00000000-0000-4000-8000-000000000000'
    expect((await get(`/api/usage/${id}`)).body.detail).toBe(
      `tenant ${id} does not exist; GET /api/tenants and flagmeter tenant list show the ids`,
    )
  })

  test('reveals names only to a key that may read all tenants', async () => {
    const { ctx, get, post } = await createTestServer()
    const make = async (scope: 'ingest' | 'read' | 'admin', tenant?: string) =>
      bearer((await createKey(ctx.database, 'test', { name: 'k', scopes: [scope], tenantId: tenant })).key)
    const own = await tenantId(ctx)
    for (const key of [await make('ingest'), await make('ingest', own), await make('admin', own)]) {
      const answers = [
        await post('/api/events', event('globex-inx'), key),
        await post('/api/events', [event('globex-inx')], key),
        await post('/api/check', event('globex-inx'), key),
      ]
      expect(answers.map(({ status }) => status).join()).toMatch(/^(404,207,404|403,207,403)$/)
      expect(JSON.stringify(answers)).not.toContain('globex-inc')
    }
    for (const path of ['/api/usage/globex-inx', '/api/tenants/globex-inx', '/api/alerts?tenant=globex-inx'])
      for (const key of [await make('read', own), await make('admin', own)])
        expect([(await get(path, key)).status, JSON.stringify(await get(path, key))]).toEqual([
          403,
          expect.not.stringContaining('globex-inc'),
        ])
    expect((await get('/api/usage/globex-inx', await make('read'))).body.detail).toContain("'globex-inc'")
  })

  test('gets a hint for three names per slice of a batch, and sixty times a minute per key', async () => {
    const { get, post } = await createTestServer({ LIMIT_REQUESTS: '0' })
    const batch = await post(
      '/api/events',
      Array.from({ length: 2_000 }, (_, i) => event(`acme-co${String.fromCharCode(0x4e00 + i)}p`)),
    )
    expect(batch.body.rejected).toBe(2_000)
    const hinted = batch.body.results.filter(({ problem }: any) => problem.detail?.includes('did you mean'))
    expect(hinted.length).toBe(6)
    let hints = 0
    for (let i = 0; i < 80; i++) if (/did you mean/.test((await get('/api/usage/acme-crop')).body.detail)) hints++
    expect(hints).toBe(58)
  })

  test('is shown shortened, without characters that hide or reorder others', async () => {
    const { get, post } = await createTestServer()
    const { body } = await get(`/api/usage/${encodeURIComponent(HOSTILE)}`)
    expect(body.detail).toMatch(/^tenant '<script>alert\(1\)<\/script>\uFFFD\uFFFD\uFFFD\uFFFD"'\\' does not exist/)
    const long = await post('/api/events', event('é'.repeat(99) + '😀'.repeat(50)))
    expect(long.status).toBe(404)
    expect(long.body.detail.length).toBeLessThan(250)
    expect(long.body.detail).toContain(`${'é'.repeat(99)}\uFFFD…'`)
  })

  test('is suggested from names near it in the alphabet, however many there are', async () => {
    const { ctx, get } = await createTestServer()
    await ctx.database`insert into tenants (name)
      select 'customer-' || lpad(i::text, 5, '0') from generate_series(1, 3000) i`
    expect((await get('/api/usage/customer-015000')).body.detail).toContain("did you mean 'customer-01500'?")
    await createTenant(ctx.database, 'test', { name: HOSTILE.replace('\u2028', '') })
    const { body } = await get(`/api/usage/${encodeURIComponent(HOSTILE.replace('\u2028', 'x'))}`)
    expect(body.detail).toContain('did you mean')
    expect(body.detail).not.toMatch(/[\u202E\u2028\u200B]/)
  })
})

test('the closest name is the one with the fewest mistakes, whatever its case and length', () => {
  expect(closest('acme-crop', ['globex', 'acme', 'acme-corp', 'acme-corps'])).toBe('acme-corp')
  expect(closest('ACME-corp', ['acme-corq', 'acme-corp'])).toBe('acme-corp')
  expect(closest('acme', ['acme-corp', 'acm'])).toBe('acme-corp')
  expect(closest('acmd', ['acme', 'acme-corp'])).toBe('acme')
  for (const text of ['x', '', 'ab']) expect(closest(text, ['y', 'abc', 'xyz'])).toBe(undefined)
  expect(closest('nobody', ['acme-corp', 'globex-inc', 'initech'])).toBe(undefined)
  const long = Array.from({ length: 1_500 }, (_, i) => 'a'.repeat(190) + String(i).padStart(10, 'b'))
  expect(closest('a'.repeat(190) + 'c'.repeat(10), long)).toBe(undefined)
})

describe('an invalid key', () => {
  const key = newKey()
  test('gets an error that says what is wrong with it, and nothing else', async () => {
    const { get } = await createTestServer()
    for (const [text, mistake] of [
      ['secret', 'a key begins with fm_'],
      ['FM_x', 'a key begins with fm_'],
      ['fm_short', 'a key has 36 characters after fm_, and this has 5'],
      [`${key.slice(0, -1)}_`, 'a key has only letters and digits after fm_'],
      [key.slice(0, -9) + key.slice(-8) + key.at(-9), 'its checksum does not match, so a character of it is wrong'],
    ] as const) {
      expect(keyMistake(text)).toBe(mistake)
      const { status, body } = await get('/api/usage', bearer(text))
      expect([status, body.detail]).toEqual([401, `this is not a key: ${mistake}`])
    }
    const { body } = await get('/api/usage', bearer(key))
    expect(body.detail).toBe('this server does not know this key; flagmeter key create makes one')
  })
})

test('errors about numbers are readable, and appear once per field', async () => {
  const { post, request } = await createTestServer()
  const mistakes = async (path: string, body: object) => (await post(path, body)).body.errors
  const tokens = { field: 'tokens', detail: 'must be a whole number between 1 and 1,000,000,000' }
  for (const wrong of [0, 0.5, 1e30, 'x', null, -1])
    expect(await mistakes('/api/events', { ...event('acme-corp'), tokens: wrong })).toEqual([tokens])
  const limit = { field: 'monthlyQuota', detail: 'must be a whole number between 1 and 1,000,000,000,000,000' }
  expect(await mistakes('/api/tenants', { name: 'new', monthlyQuota: 0 })).toEqual([limit])
  expect(await mistakes('/api/tenants', { name: 'new', billingDay: 32 })).toEqual([
    { field: 'billingDay', detail: 'must be a whole number between 1 and 31' },
  ])
  const { id } = (await post('/api/reservations', event('acme-corp'))).body
  const { body } = await request('POST', `/api/reservations/${id}/settle`, { tokens: 0 })
  expect(body.detail).toBe(
    'tokens must be a whole number between 1 and 1,000,000,000; ' +
      'if nothing was used, release the reservation instead: POST /api/reservations/{id}/release',
  )
})

test('where an id is expected, a name or a key is not accepted, nor echoed', async () => {
  const { request } = await createTestServer()
  const key = newKey()
  for (const [method, path, kind, listing] of [
    ['DELETE', '/api/keys/', 'key', 'keys'],
    ['GET', '/api/quotas/', 'quota', 'quotas'],
    ['GET', '/api/webhooks/', 'webhook', 'webhooks'],
    ['GET', '/api/deliveries/', 'delivery', 'deliveries'],
  ] as const) {
    for (const text of ['acme-corp', key]) {
      const { status, body } = await request(method, path + text)
      const detail = `this is not the id of a ${kind}; GET /api/${listing} and flagmeter ${kind} list show the ids`
      expect([status, body.detail]).toEqual([404, detail])
    }
    const id = '00000000-0000-4000-8000-000000000000'
    expect((await request(method, path + id)).body.detail).toBe(`${kind} ${id} does not exist`)
  }
  const { body } = await request('POST', '/api/reservations/acme-corp/release')
  expect(body.detail).toMatch(/^this is not the id of a reservation; send the one that POST \/api\/reservations/)
})

test('every JSON answer ends with one newline', async () => {
  const { url, ctx } = await createTestServer()
  const headers = { ...bearer((await createKey(ctx.database, 'test', { name: 'k', scopes: ['admin'] })).key) }
  const paths = ['/api/health', '/api/usage', '/api/usage/acme-corp', '/api/tenants', '/openapi.json', '/api/nothing']
  for (const path of [...paths, '/api/usage/acme-corp/series', '/api/alerts', '/api/usage/nobody']) {
    const answer = await fetch(url + path, { headers })
    const text = await answer.text()
    expect([path, answer.headers.get('content-type')]).toEqual([path, expect.stringContaining('json')])
    expect([path, text.endsWith('}\n'), text.endsWith('\n\n')]).toEqual([path, true, false])
    expect(Number(answer.headers.get('content-length'))).toBe(Buffer.byteLength(text))
  }
})

test('an unknown path gives a browser a page with a link back, and a program a problem document', async () => {
  const { get, url } = await createTestServer()
  const accept = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }
  for (const path of ['/nothing', '/%3Cscript%3Ealert(1)%3C/script%3E', '/assets/nothing.js', '/api/nothing']) {
    const page = await get(path, accept)
    expect([path, page.status, page.headers.get('content-type')]).toEqual([path, 404, 'text/html; charset=utf-8'])
    expect(page.body).toContain('<a href="/">')
    expect(page.body).not.toMatch(/script|nothing\.js/)
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-[^']+='; base/)
    expect((await get(path)).body).toMatchObject({ status: 404, code: 'not_found' })
  }
  const head = await fetch(`${url}/nothing`, { method: 'HEAD', headers: accept })
  expect([head.status, await head.text()]).toEqual([404, ''])
  expect((await get('/api/usage/nobody', accept)).body.code).toBe('tenant_not_found')
})

test('a database that rejects our login is an outage, and the log says why', async () => {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const ctx = await createContext({}, { log })
  const locked = new URL(ctx.databaseUrl)
  locked.username = `nobody_${randomUUID().slice(0, 8)}`
  await ctx.database.unsafe(`create role ${locked.username} nologin`)
  const database = openDatabase({ databaseUrl: locked.href, databasePoolSize: 1 })
  onTestFinished(async () => {
    await database.end()
    await ctx.database.unsafe(`drop role ${locked.username}`)
  })
  const endpoints = endpointsOf(await loadHandlers(['tenant-get'])).map(({ handler }) => handler)
  const server = createHttpServer({ ...ctx, database }, endpoints)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.closeAllConnections())
  const { port } = server.address() as AddressInfo
  const answer = await fetch(`http://127.0.0.1:${port}/api/tenants/acme-corp`, { headers: bearer(KEY) })
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
  expect(lines.find(({ msg }) => msg === 'the database is unavailable')).toMatchObject({
    reason: expect.stringMatching(/authentication failed|not permitted to log in/),
  })
})

test('unauthenticated refusals are counted, but logged only at debug: anybody can cause them', async () => {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const { get, post } = await createTestServer({}, { log })
  for (const path of ['/api/usage', '/nothing', '/api/events']) await get(path, { authorization: '' })
  for (const wrong of ['x', newKey()]) await post('/api/events', event('acme-corp'), bearer(wrong))
  const requests = () => lines.filter(({ msg }) => msg === 'request')
  expect(requests()).toEqual([])
  expect((await get('/metrics')).body).toContain(
    'http_request_duration_seconds_count{method="POST",route="/api/events",status="401"} 2',
  )
  await get('/api/usage/nobody')
  expect(requests()).toEqual([expect.objectContaining({ status: 404, route: '/api/usage/:tenant' })])
})
