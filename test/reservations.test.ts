import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import { readReservationId, writeReservationId } from '../lib/quota/reservation.ts'
import { createTestServer, startConsumers, until } from './_context.ts'
import { tenantId } from './_deliveries.ts'
import { counters, expire, release, reserve, settle, want } from './_reservations.ts'

test('a reservation holds its tokens until it is settled with what was used, or released', async () => {
  const server = await createTestServer()
  const made = await reserve(server)
  expect([made.status, made.body]).toEqual([
    201,
    { id: expect.stringMatching(/^rs_/), expiresAt: expect.any(String), remaining: 999_900 },
  ])
  expect(Date.parse(made.body.expiresAt) - Date.now()).toBeGreaterThan(298_000)
  expect(await counters(server)).toEqual([[0, 100]])
  const other = (await reserve(server, { tokens: 50, ttlSeconds: 3600 })).body
  const less = await settle(server, made.body.id, 30)
  expect([less.status, less.body]).toEqual([200, { success: true, eventId: expect.any(String) }])
  expect(await counters(server)).toEqual([[30, 50]])
  expect((await settle(server, other.id, 500)).status).toBe(200)
  expect(await counters(server)).toEqual([[530, 0]])
  const unused = (await reserve(server)).body
  expect((await release(server, unused.id)).body).toEqual({ success: true })
  expect(await counters(server)).toEqual([[530, 0]])
  expect((await server.get('/api/usage/acme-corp')).body.eventCount).toBe(2)
  expect(await verify(server.ctx.database)).toEqual([])
})

test('settling and releasing are idempotent in any order; only the first settlement counts', async () => {
  const server = await createTestServer()
  const [a, b] = [(await reserve(server)).body.id, (await reserve(server)).body.id]
  const first = await settle(server, a, 70)
  expect((await settle(server, a, 70)).body).toEqual(first.body)
  expect(await settle(server, a, 99)).toMatchObject({ status: 409, body: { code: 'idempotency_key_reused' } })
  await Promise.all(Array.from({ length: 20 }, () => settle(server, a, 70)))
  await release(server, a)
  expect(await counters(server)).toEqual([[70, 100]])
  for (let i = 0; i < 3; i++) await release(server, b)
  expect(await counters(server)).toEqual([[70, 0]])
  await settle(server, b, 5)
  expect(await counters(server)).toEqual([[75, 0]])
  expect(await verify(server.ctx.database)).toEqual([])
})

test('all hard quotas concerned must have room, or none is touched; soft ones are overbooked', async () => {
  const server = await createTestServer()
  const quota = async (fields: object) => server.post('/api/quotas', { tenant: 'acme-corp', period: 'day', ...fields })
  await quota({ feature: 'x', tokenLimit: 1_000 })
  await quota({ tokenLimit: 300 })
  await quota({ feature: 'x', tokenLimit: 10, hard: false })
  expect((await reserve(server, { tokens: 200 })).body.remaining).toBe(100)
  const refused = await reserve(server, { tokens: 101 })
  expect(refused.status).toBe(409)
  expect(refused.body).toMatchObject({
    code: 'quota_exceeded',
    detail: '100 of 300 tokens today are left; 101 were requested',
    remaining: 100,
    quota: { period: 'day', tokenLimit: 300, totalTokens: 0, reservedTokens: 200 },
  })
  expect(refused.body.resetAt).toBe(refused.body.quota.resetAt)
  expect((await counters(server)).map(([, reserved]: number[]) => reserved)).toEqual([200, 200, 200, 200])
  expect((await reserve(server, { tokens: 100 })).status).toBe(201)
  expect((await reserve(server, { tokens: 1, feature: 'y' })).status).toBe(409)
  await server.request('PATCH', '/api/tenants/globex-inc', { monthlyQuota: 99 })
  expect((await reserve(server, { tenant: 'globex-inc' })).status).toBe(409)
  await server.request('PATCH', '/api/tenants/globex-inc', { monthlyHard: false })
  expect((await reserve(server, { tenant: 'globex-inc' })).body.remaining).toBe(0)
  expect(await verify(server.ctx.database)).toEqual([])
})

test('an Idempotency-Key makes a reservation once, even when twenty retries race on two servers', async () => {
  let now = Date.now()
  const server = await createTestServer({}, { clock: () => now++ }) // no two tries arrive at the same moment
  const other = await createTestServer({ DATABASE_URL: server.databaseUrl })
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => reserve(i % 2 ? server : other, {}, 'call-1')))
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.id} ${body.expiresAt}`)).size).toBe(1)
  expect(await counters(server)).toEqual([[0, 100]])
  const [id] = answers.map(({ body }) => body.id)
  expect((await reserve(server, { tokens: 101 }, 'call-1')).body.code).toBe('idempotency_key_reused')
  expect((await reserve(server, { feature: 'y' }, 'call-1')).body.code).toBe('idempotency_key_reused')
  await settle(server, id, 60)
  expect((await reserve(server, {}, 'call-1')).body.id).toBe(id)
  expect(await counters(server)).toEqual([[60, 0]])
  // The same key on an event is separate.
  await server.post('/api/events', want({ id: 'call-1' }))
  expect(await counters(server)).toEqual([[160, 0]])
  // A refused request took nothing, and may be retried.
  expect((await reserve(server, { tokens: 1_000_000 }, 'call-2')).status).toBe(409)
  await server.request('PATCH', '/api/tenants/acme-corp', { monthlyQuota: 2_000_000 })
  expect((await reserve(server, { tokens: 1_000_000 }, 'call-2')).status).toBe(201)
})

test('a key whose reservation was released or lapsed reserves again under a new id, or is refused', async () => {
  const server = await createTestServer()
  await server.request('PATCH', '/api/tenants/acme-corp', { monthlyQuota: 1_000 })
  const ask = (key: string, tokens = 1_000) => reserve(server, { tokens }, key)
  for (const end of [
    async (id: string) => (await release(server, id)).status,
    async () => (await expire(server)).count,
  ]) {
    const first = (await ask('job-1')).body
    await end(first.id)
    const other = (await ask('job-2')).body
    expect(await ask('job-1')).toMatchObject({ status: 409, body: { code: 'quota_exceeded', remaining: 0 } })
    expect(await counters(server)).toEqual([[0, 1_000]])
    await release(server, other.id)
    const again = (await ask('job-1', 999)).body // nothing is held by this key: it may ask for anything
    expect(again).toMatchObject({ id: expect.not.stringMatching(first.id), remaining: 1 })
    expect((await ask('job-1', 999)).body.id).toBe(again.id)
    expect((await ask('job-1')).body.code).toBe('idempotency_key_reused')
    await release(server, again.id)
  }
  expect(await verify(server.ctx.database)).toEqual([])
})

test("every settlement that returns 200 counts, even if its key is reused or its id is an event's", async () => {
  const server = await createTestServer()
  const { database } = server.ctx
  await server.post('/api/events', want({ id: 'reservation:job-1', tokens: 1 }))
  const first = (await reserve(server, {}, 'job-1')).body.id
  const settled = await settle(server, first, 10)
  expect(settled.status).toBe(200)
  await database`delete from reservations` // as pruning does, after six weeks
  const second = (await reserve(server, {}, 'job-1')).body.id
  expect((await settle(server, second, 100)).status).toBe(200)
  expect(await counters(server)).toEqual([[111, 0]])
  // A release that was followed by a late settlement, and the key again.
  const [late] = [(await reserve(server, {}, 'job-2')).body.id]
  await release(server, late)
  expect((await settle(server, late, 1_000)).status).toBe(200)
  const next = (await reserve(server, {}, 'job-2')).body.id
  expect((await settle(server, next, 10_000)).status).toBe(200)
  expect(await counters(server)).toEqual([[11_111, 0]])
  // Nobody else can use the ids that FlagMeter assigns.
  const refused = await server.post('/api/events', want({ id: settled.body.eventId }))
  expect([refused.status, refused.body.errors]).toEqual([
    400,
    [{ field: 'id', detail: 'must not be an id that FlagMeter made' }],
  ])
  expect(await verify(database)).toEqual([])
})

test('unsettled reservations lapse once, by the worker or the next request; late settlements count', async () => {
  const server = await createTestServer()
  await server.request('PATCH', '/api/tenants/acme-corp', { monthlyQuota: 100 })
  const [late, early] = [(await reserve(server, { tokens: 60, ttlSeconds: 1 })).body, await reserve(server)]
  expect(early.status).toBe(409)
  await sleep(1_100)
  expect(await counters(server)).toEqual([[0, 60]]) // nobody has looked yet
  expect((await reserve(server)).status).toBe(201)
  expect(await counters(server)).toEqual([[0, 100]])
  await expire(server)
  await startConsumers(server.ctx, ['lapse'])
  await startConsumers(server.ctx, ['lapse'])
  await until(async () => (await counters(server))[0][1] === 0)
  const settled = await settle(server, late.id, 150)
  expect(settled.body).toMatchObject({ success: true, overQuota: true })
  expect(await counters(server)).toEqual([[150, 0]])
  expect(await verify(server.ctx.database)).toEqual([])
})

test('a settlement counts in the periods that held it, at a month’s end and when clocks change', async () => {
  for (const [timezone, end] of [
    ['UTC', '2027-01-01T00:00:00Z'],
    ['Europe/Berlin', '2026-10-24T22:00:00Z'], // the day with 25 hours begins
    ['America/New_York', '2027-03-14T05:00:00Z'], // the day with 23 hours begins
    ['Australia/Lord_Howe', '2027-02-28T13:00:00Z'],
    ['Asia/Kathmandu', '2027-02-28T18:15:00Z'],
  ]) {
    let now = Date.parse(end!) - 1_000
    const server = await createTestServer({}, { clock: () => now })
    await server.request('PATCH', '/api/tenants/acme-corp', { timezone, monthlyQuota: 100 })
    // The clock of the test may be behind that of the database, which says where a new quota begins to count.
    for (const period of ['hour', 'day'])
      await server.post('/api/quotas', { tenant: 'acme-corp', period, tokenLimit: 100 })
    await server.ctx.database`update quotas set counts_from = '-infinity'`
    const held = (await reserve(server)).body.id
    expect((await reserve(server, { tokens: 1 })).status).toBe(409)
    now += 2_000
    const isMonth = !/Berlin|York/.test(timezone!)
    const fresh = isMonth ? [0, 0] : [0, 100]
    expect([timezone, await counters(server)]).toEqual([timezone, [fresh, [0, 0], [0, 0]]])
    expect((await reserve(server)).status).toBe(isMonth ? 201 : 409)
    expect((await settle(server, held, 80)).status).toBe(200)
    const [held2, used] = isMonth ? [100, 0] : [0, 80]
    expect([timezone, await counters(server)]).toEqual([
      timezone,
      [
        [used, held2],
        [0, held2],
        [0, held2],
      ],
    ])
    now -= 2_000
    expect(await counters(server)).toEqual(Array.from({ length: 3 }, () => [80, 0]))
    expect(await verify(server.ctx.database)).toEqual([])
  }
})

test('adding, changing and deleting quotas or changing time zone while tokens are held leaks nothing', async () => {
  const server = await createTestServer()
  const { ctx, request, post } = server
  const ids = []
  for (let i = 0; i < 4; i++) ids.push((await reserve(server)).body.id)
  const quota = (await post('/api/quotas', { tenant: 'acme-corp', feature: 'x', period: 'day', tokenLimit: 1_000 }))
    .body
  expect(await counters(server)).toEqual([
    [0, 400],
    [0, 400],
  ])
  await settle(server, ids[0], 10)
  await request('PATCH', '/api/tenants/acme-corp', { timezone: 'Asia/Kathmandu', billingDay: 17 })
  await release(server, ids[1])
  expect(await verify(ctx.database)).toEqual([])
  await request('PATCH', `/api/quotas/${quota.id}`, { tokenLimit: 5 })
  await settle(server, ids[2], 10)
  await request('DELETE', `/api/quotas/${quota.id}`)
  await expire(server)
  await ctx.database`select lapse_reservations(10)`
  expect(await counters(server)).toEqual([[20, 0]])
  expect(await verify(ctx.database)).toEqual([])
})

test("an id contains its tenant, feature and time; an invalid one, or another tenant's, is not found", async () => {
  const server = await createTestServer()
  const own = await tenantId(server.ctx)
  for (const feature of ['x', 'ü'.repeat(200), '模'.repeat(200), '🤖'.repeat(100), 'a/b?c#d']) {
    const { id } = (await reserve(server, { feature })).body
    expect(readReservationId(id)).toMatchObject({ tenantId: own, feature })
    expect((await settle(server, id, 1)).status).toBe(200)
  }
  const { id } = (await reserve(server)).body
  const nobody = writeReservationId({ ...readReservationId(id)!, tenantId: '00000000-0000-4000-8000-000000000000' })
  for (const wrong of ['x', 'rs_', id.slice(0, 50), `${id}A`, `${id}=`, nobody, `rs_${'A'.repeat(51)}`])
    for (const verb of ['settle', 'release']) {
      const { status, body } = await server.post(`/api/reservations/${wrong}/${verb}`, { tokens: 1 })
      expect([wrong, status, body.code]).toEqual([wrong, 404, 'reservation_not_found'])
    }
  const key = (await server.post('/api/keys', { name: 'k', scopes: ['ingest'], tenant: 'globex-inc' })).body.key
  const foreign = { authorization: `Bearer ${key}` }
  expect((await server.post(`/api/reservations/${id}/settle`, { tokens: 1 }, foreign)).status).toBe(404)
  expect((await server.post('/api/reservations', { feature: 'x', tokens: 1 }, foreign)).status).toBe(201)
  expect((await counters(server))[0]).toEqual([5, 100])
})

test('bad input names its field and takes nothing', async () => {
  const server = await createTestServer()
  for (const [fields, field] of [
    [{ tokens: 0 }, 'tokens'],
    [{ tokens: 1.5 }, 'tokens'],
    [{ tokens: undefined }, 'tokens'],
    [{ feature: undefined }, 'feature'],
    [{ feature: 'a\u0000' }, 'feature'],
    [{ ttlSeconds: 0 }, 'ttlSeconds'],
    [{ ttlSeconds: 3601 }, 'ttlSeconds'],
    [{ note: 'x' }, 'note'],
  ] as const) {
    const { status, body } = await reserve(server, fields)
    expect([fields, status, body.errors?.[0]?.field]).toEqual([fields, 400, field])
    if (!('ttlSeconds' in fields)) expect((await server.post('/api/check', want(fields))).status).toBe(400)
  }
  expect((await reserve(server, {}, ' '.repeat(201))).status).not.toBe(500)
  const { id } = (await reserve(server)).body
  for (const tokens of [0, -1, '5', 1e10]) expect((await settle(server, id, tokens as number)).status).toBe(400)
  expect((await settle(server, id, 0)).body.detail).toMatch(
    /^tokens must be a whole number between 1 and .*; if nothing was used, release the reservation/,
  )
  expect(await counters(server)).toEqual([[0, 100]])
})
