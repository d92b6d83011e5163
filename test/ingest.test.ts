import { v7 as uuidv7 } from 'uuid'
import { beforeEach, describe, expect, test } from 'vitest'
import { createKey } from '../lib/admin/keys.ts'
import { type TestServer, createTestServer } from './_context.ts'

let server: TestServer
beforeEach(async () => {
  server = await createTestServer()
})

const event = (fields: object = {}) => ({ tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens: 1500, ...fields })
const send = (body: unknown, headers?: Record<string, string>) => server.post('/api/events', body, headers)
const used = async (tenant = 'acme-corp') => (await server.get(`/api/usage/${tenant}`)).body
const stored = async () => Number((await server.ctx.database`select count(*) as n from events`)[0]!.n)

describe('a single event', () => {
  test('returns its id and is visible in usage at once', async () => {
    const { status, body, headers } = await send(event())
    expect(status).toBe(201)
    expect(body).toEqual({ success: true, eventId: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    expect(headers.get('x-request-id')).toBeTruthy()
    expect(await used()).toMatchObject({
      totalTokens: 1500,
      eventCount: 1,
      features: [{ feature: 'gpt-4-turbo', totalTokens: 1500 }],
    })
  })

  test('may refer to its tenant by id', async () => {
    const { tenant } = await used()
    expect((await send(event({ tenant }))).status).toBe(201)
    expect((await send(event({ tenant: tenant.toUpperCase() }))).status).toBe(201)
    expect(await used()).toMatchObject({ totalTokens: 3000 })
  })

  test('counts once under the same id, however the id is written and wherever it is given', async () => {
    const id = uuidv7()
    const answers = [
      await send(event({ id })),
      await send(event({ id: id.toUpperCase() })),
      await send(event(), { 'idempotency-key': id }),
      await send([event({ id }), event({ id })]),
    ]
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    expect(answers[0]!.body.eventId).toBe(id)
    expect(answers[3]!.body.results).toEqual([{ eventId: id }, { eventId: id }])
    const named = [await send(event({ id: 'invoice 7' })), await send(event(), { 'idempotency-key': 'invoice 7' })]
    expect(named[0]!.body.eventId).toBe(named[1]!.body.eventId)
    expect(await used()).toMatchObject({ totalTokens: 3000, eventCount: 2 })
  })

  test('has an id scoped to its tenant: the same id of another tenant is another event', async () => {
    const first = await send(event({ id: 'one' }))
    const second = await send(event({ id: 'one', tenant: 'globex-inc' }))
    expect(first.body.eventId).not.toBe(second.body.eventId)
    expect(await used('globex-inc')).toMatchObject({ totalTokens: 1500 })
  })

  test('falls into the minute and the period of its own time', async () => {
    const timestamp = new Date(Date.now() - 34 * 86_400_000).toISOString()
    expect((await send(event({ timestamp }))).status).toBe(201)
    expect(await used()).toMatchObject({ totalTokens: 0 })
    const [rollup] = await server.ctx.database`select minute from rollups`
    expect(rollup!.minute.getTime()).toBe(Math.floor(Date.parse(timestamp) / 60_000) * 60_000)
  })
})

const nested = '['.repeat(200_000) + ']'.repeat(200_000)
const days = (n: number) => new Date(Date.now() + n * 86_400_000).toISOString()
const raw = (fields: string) => `{"tenant":"acme-corp","feature":"x",${fields}}`

describe('bad input is refused with the field named, and nothing is stored', () => {
  test.each<[string, unknown, number, string, string | undefined]>([
    ['bad JSON', '{"tenant":', 400, 'invalid_json', undefined],
    ['an empty body', '', 400, 'invalid_json', undefined],
    ['invalid UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), 400, 'invalid_json', undefined],
    ['a string', '"text"', 400, 'invalid_request', ''],
    ['null', 'null', 400, 'invalid_request', ''],
    ['a missing field', { tenant: 'acme-corp', tokens: 1 }, 400, 'invalid_request', 'feature'],
    ['an unknown field', event({ price: 1 }), 400, 'invalid_request', 'price'],
    ['__proto__', raw('"tokens":1,"__proto__":{"admin":true}'), 400, 'invalid_request', '__proto__'],
    ['tokens as text', event({ tokens: '1500' }), 400, 'invalid_request', 'tokens'],
    ['0 tokens', event({ tokens: 0 }), 400, 'invalid_request', 'tokens'],
    ['-1 tokens', event({ tokens: -1 }), 400, 'invalid_request', 'tokens'],
    ['1.5 tokens', event({ tokens: 1.5 }), 400, 'invalid_request', 'tokens'],
    ['1e400 tokens', raw('"tokens":1e400'), 400, 'invalid_request', 'tokens'],
    ['9007199254740993 tokens', raw('"tokens":9007199254740993'), 400, 'invalid_request', 'tokens'],
    ['a billion and one tokens', event({ tokens: 1_000_000_001 }), 400, 'invalid_request', 'tokens'],
    ['a NUL character', event({ feature: 'a\0b' }), 400, 'invalid_request', 'feature'],
    ['a lone surrogate', raw('"tokens":1,"id":"\\ud800"'), 400, 'invalid_request', 'id'],
    ['an empty feature', event({ feature: '' }), 400, 'invalid_request', 'feature'],
    ['a feature of 300 characters', event({ feature: 'x'.repeat(300) }), 400, 'invalid_request', 'feature'],
    ['nested brackets', nested, 400, 'invalid_request', ''],
    ['nested brackets in a field', raw(`"tokens":${nested}`), 400, 'invalid_request', 'tokens'],
    ['a timestamp without a zone', event({ timestamp: '2026-01-01T00:00:00' }), 400, 'invalid_request', 'timestamp'],
    ['a timestamp of 1970', event({ timestamp: '1970-01-01T00:00:00Z' }), 422, 'timestamp_out_of_range', 'timestamp'],
    ['a timestamp of next week', event({ timestamp: days(7) }), 422, 'timestamp_out_of_range', 'timestamp'],
    ['a timestamp of 36 days ago', event({ timestamp: days(-36) }), 422, 'timestamp_out_of_range', 'timestamp'],
    ['an unknown tenant', event({ tenant: 'nobody' }), 404, 'tenant_not_found', 'tenant'],
    ['an unknown tenant id', event({ tenant: uuidv7() }), 404, 'tenant_not_found', 'tenant'],
    ['an empty batch', [], 400, 'invalid_request', undefined],
    ['a batch of 10,001', Array.from({ length: 10_001 }, () => event()), 413, 'batch_too_large', undefined],
    ['a body over 8 MiB', `[${' '.repeat(8 * 1024 * 1024)}]`, 413, 'body_too_large', undefined],
  ])('%s', async (name, body, status, code, field) => {
    const answer = await send(body)
    // An array of arrays: one event per top-level bracket, each with its own problem.
    const problem = answer.body.results?.[0].problem ?? answer.body
    expect([name, problem.status, problem.code]).toEqual([name, status, code])
    if (field !== undefined) expect(problem.errors.map((error: { field: string }) => error.field)).toContain(field)
    expect(JSON.stringify(answer.body).length).toBeLessThan(2000)
    if (answer.status !== 207) expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await stored()).toBe(0)
    expect((await server.get('/api/health/live')).status).toBe(200)
  })

  test('a content type that a web page may send without preflight, and a compressed body', async () => {
    expect((await send(event(), { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await send(event(), { 'content-encoding': 'gzip' })).status).toBe(415)
    expect((await send(event(), { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(201)
  })

  test('an Idempotency-Key that contradicts the id', async () => {
    expect((await send(event({ id: 'a' }), { 'idempotency-key': 'b' })).body.errors).toEqual([
      { field: 'id', detail: expect.any(String) },
    ])
    expect((await send(event(), { 'idempotency-key': 'x'.repeat(201) })).body.errors[0].field).toBe('Idempotency-Key')
  })
})

describe('a batch', () => {
  test('of 10,000 events is accepted', async () => {
    const events = Array.from({ length: 10_000 }, (_, i) => event({ tokens: i + 1, id: `e${i}` }))
    const { status, body } = await send(events)
    expect(status).toBe(201)
    expect(body).toMatchObject({ success: true, accepted: 10_000, rejected: 0 })
    expect(new Set(body.results.map((result: { eventId: string }) => result.eventId)).size).toBe(10_000)
    expect(await used()).toMatchObject({ totalTokens: 50_005_000, eventCount: 10_000 })
  })

  test('returns one result per event, in order, and a bad one does not affect the others', async () => {
    const { status, body } = await send([
      event(),
      event({ tokens: 0 }),
      event({ tenant: 'nobody' }),
      7,
      event({ timestamp: days(30) }),
      event(),
    ])
    expect(status).toBe(207)
    expect(body).toMatchObject({ success: false, accepted: 2, rejected: 4 })
    const codes = body.results.map((result: any) => result.problem?.code ?? 'ok')
    expect(codes).toEqual([
      'ok',
      'invalid_request',
      'tenant_not_found',
      'invalid_request',
      'timestamp_out_of_range',
      'ok',
    ])
    expect(await used()).toMatchObject({ totalTokens: 3000 })
  })

  test('may be NDJSON, where a broken line affects only itself', async () => {
    const lines = [JSON.stringify(event()), '{"tenant":', '', JSON.stringify(event({ tokens: 7 }))].join('\r\n')
    const { status, body } = await send(`${lines}\n`, { 'content-type': 'application/x-ndjson' })
    expect(status).toBe(207)
    expect(body.results.map((result: any) => result.problem?.code ?? 'ok')).toEqual(['ok', 'invalid_json', 'ok'])
    expect(await used()).toMatchObject({ totalTokens: 1507 })
  })

  test('sent again under its Idempotency-Key changes nothing', async () => {
    const batch = [event(), event(), event({ tokens: 0 }), event({ tenant: 'globex-inc' })]
    const first = await send(batch, { 'idempotency-key': 'batch 1' })
    const second = await send(batch, { 'idempotency-key': 'batch 1' })
    expect(second.body).toEqual(first.body)
    expect(await used()).toMatchObject({ totalTokens: 3000, eventCount: 2 })
  })
})

test('when the stores fail in the middle of a batch, the answer says which events are durable', async () => {
  const writes: number[] = []
  const intake = {
    async accept(events: unknown[]) {
      if (writes.push(events.length) > 1) throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' })
      return { poison: [], isOver: () => false }
    },
    idle: async () => {},
  }
  const half = await createTestServer({}, { intake })
  const events = Array.from({ length: 2_500 }, () => event())
  const { status, body } = await half.post('/api/events', events)
  expect([status, body.accepted, body.rejected, writes]).toEqual([207, 1_000, 1_500, [1_000, 1_000]])
  expect(body.results[999]).toEqual({ eventId: expect.any(String) })
  expect(body.results.slice(1_000).every((result: any) => result.problem.code === 'unavailable')).toBe(true)
  const none = await half.post('/api/events', events)
  expect([none.status, none.headers.get('retry-after')]).toEqual([503, '1'])
})

test('an answer lists up to ten mistakes per event, and stays below 2 MB however many events have them', async () => {
  const bad = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${i}`.padEnd(300, 'x'), 0]))
  const one = (await send(bad)).body
  expect(one.errors).toHaveLength(11)
  expect(one.errors[10]).toEqual({ field: '', detail: 'and 4 more mistakes' })
  expect(one.errors.every(({ field }: { field: string }) => field.length <= 101)).toBe(true)
  const worst = Array.from({ length: 1_500 }, () => bad)
  const { status, body } = await send(worst)
  expect([status, body.rejected, body.results.length]).toEqual([207, 1_500, 1_500])
  expect(JSON.stringify(body).length).toBeLessThan(2_000_000)
  expect(body.results[0].problem.errors).toHaveLength(11)
  const bare = body.results.filter((result: any) => result.problem.errors === undefined)
  expect(bare).toHaveLength(body.withoutDetails)
  expect(bare.at(-1).problem).toEqual(body.results[1_499].problem)
})

test('an unknown tenant is created once under concurrency, if the operator allows it', async () => {
  const open = await createTestServer({ AUTO_CREATE_TENANTS: 'true' })
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => open.post('/api/events', event({ tenant: 'new-llc' }))),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
  expect((await open.get('/api/usage/new-llc')).body).toMatchObject({ totalTokens: 75_000, monthlyQuota: 1_000_000 })
  expect((await open.post('/api/events', event({ tenant: uuidv7() }))).status).toBe(404)
})

test('a key creates at most a hundred tenants in ten minutes; further ones get 429 with Retry-After', async () => {
  const open = await createTestServer({ AUTO_CREATE_TENANTS: 'true' })
  const batch = (count: number, name: string) =>
    Array.from({ length: count }, (_, i) => ({ tenant: `${name}-${i}`, feature: 'x', tokens: 1 }))
  const { status, body } = await open.post('/api/events', [...batch(2_000, 'new'), event()])
  expect([status, body.accepted]).toEqual([207, 101])
  expect(body.results.at(-1).eventId).toBeDefined()
  const codes = new Set(body.results.map(({ problem }: any) => problem?.code))
  expect(codes).toEqual(new Set([undefined, 'rate_limited']))
  expect(body.results[1_000].problem.detail).toMatch(/at most 100 new tenants in 600 seconds/)
  const again = await open.post('/api/events', event({ tenant: 'new-1999' }))
  expect([again.status, again.body.code, Number(again.headers.get('retry-after')) > 0]).toEqual([
    429,
    'rate_limited',
    true,
  ])
  expect((await open.post('/api/events', event({ tenant: 'new-0' }))).status).toBe(201)
  const [row] = await open.ctx.database`select count(*)::int as n from tenants where name like 'new-%'`
  expect(row!.n).toBe(100)
  const [audit] = await open.ctx.database`select count(*)::int as n from audit_log where actor = 'auto-create'`
  expect(audit!.n).toBe(100)
  const settings = { name: 'other', scopes: ['ingest' as const] }
  const { key } = await createKey(open.ctx.database, 'test', settings)
  const other = await open.post('/api/events', event({ tenant: 'other' }), { authorization: `Bearer ${key}` })
  expect(other.status).toBe(201)
})

test('a missing field and a wrong type give different errors', async () => {
  const { body } = await send({ tenant: 7, tokens: 'x' })
  expect(body.errors).toEqual([
    { field: 'tenant', detail: 'must be a string' },
    { field: 'feature', detail: 'is required' },
    { field: 'tokens', detail: 'must be a whole number between 1 and 1,000,000,000' },
  ])
})

test('an id identifies one event: different content is refused, and a true repeat succeeds', async () => {
  const once = { tenant: 'acme-corp', feature: 'reused', tokens: 5, id: 'once' }
  for (let i = 0; i < 2; i++) expect((await server.post('/api/events', once)).status).toBe(201)
  for (const other of [{ tokens: 6 }, { feature: 'other' }])
    expect(await server.post('/api/events', { ...once, ...other })).toMatchObject({
      status: 409,
      body: { code: 'idempotency_key_reused' },
    })
  const batch = await server.post('/api/events', [once, { ...once, tokens: 7 }, { ...once, id: 'twice' }])
  expect(batch.body.results.map(({ problem }: any) => problem?.code)).toEqual([
    undefined,
    'idempotency_key_reused',
    undefined,
  ])
})

test('positions in a batch are not confused with ids of other events', async () => {
  const plain = { tenant: 'acme-corp', feature: 'places', tokens: 5 }
  const single = await server.post('/api/events', plain, { 'idempotency-key': 'B:0' })
  const sendBatch = () => send([plain, plain], { 'idempotency-key': 'B' })
  const [first, again] = [await sendBatch(), await sendBatch()]
  expect(again.body).toEqual(first.body)
  const ids = [single.body.eventId, ...first.body.results.map(({ eventId }: any) => eventId)]
  expect(new Set(ids).size).toBe(3)
  expect((await server.post('/api/events', { ...plain, id: ids[1] })).body.errors[0].field).toBe('id')
  const [row] = await server.ctx.database`select count(*)::int as n from events where feature = 'places'`
  expect(row!.n).toBe(3)
})
