import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import { seed } from '../cli/seed.ts'
import { TenantSeed } from '../lib/admin/tenants.ts'
import type { Context } from '../lib/context.ts'
import { createContext, createTestServer, until } from './_context.ts'
import { createProxy } from './_proxy.ts'
import { createRandom } from './_random.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const quotasOf = async ({ get }: Awaited<ReturnType<typeof createTestServer>>, tenant = 'acme-corp') =>
  (await get(`/api/usage/${tenant}`)).body.quotas as any[]

const periodOf = async (ctx: Context, moment: string, period: string, timezone: string, billingDay = 1) => {
  const [row] = await ctx.database`select * from quota_period(${moment}, ${period}, ${billingDay}, ${timezone})`
  return [row!.period_start.toISOString(), row!.period_end.toISOString()]
}

describe('a period', () => {
  test.each([
    ['hour', 'UTC', '2026-03-05T10:59:59Z', '2026-03-05T10:00:00Z', '2026-03-05T11:00:00Z'],
    ['hour', 'Asia/Kolkata', '2026-03-05T10:15:00Z', '2026-03-05T09:30:00Z', '2026-03-05T10:30:00Z'],
    // Berlin, the clock goes from 03:00 back to 02:00: two hours that the clock shows as 02.
    ['hour', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-25T00:00:00Z', '2026-10-25T01:00:00Z'],
    ['hour', 'Europe/Berlin', '2026-10-25T01:30:00Z', '2026-10-25T01:00:00Z', '2026-10-25T02:00:00Z'],
    // Lord Howe moves by half an hour: the hour of that night is longer.
    ['hour', 'Australia/Lord_Howe', '2026-04-04T15:15:00Z', '2026-04-04T14:00:00Z', '2026-04-04T15:30:00Z'],
    ['day', 'Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
    ['day', 'America/New_York', '2026-03-08T12:00:00Z', '2026-03-08T05:00:00Z', '2026-03-09T04:00:00Z'],
    // Beirut skips midnight itself.
    ['day', 'Asia/Beirut', '2026-03-29T12:00:00Z', '2026-03-28T22:00:00Z', '2026-03-29T21:00:00Z'],
    ['week', 'UTC', '2026-03-08T23:59:59Z', '2026-03-02T00:00:00Z', '2026-03-09T00:00:00Z'],
    ['week', 'Asia/Tokyo', '2026-03-08T15:00:00Z', '2026-03-08T15:00:00Z', '2026-03-15T15:00:00Z'],
    ['week', 'Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-22T23:00:00Z', '2026-03-29T22:00:00Z'],
    ['month', 'UTC', '2026-02-28T12:00:00Z', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
  ])('of a %s in %s at %s', async (period, timezone, moment, start, end) => {
    const ctx = await createContext()
    expect(await periodOf(ctx, moment, period, timezone)).toEqual([
      start.replace('Z', '.000Z'),
      end.replace('Z', '.000Z'),
    ])
  })

  test('holds its moment, and the next one begins where it ends: at random moments in many zones', async () => {
    const ctx = await createContext()
    const { seed: random, below, pick } = createRandom()
    const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Chatham']
    zones.push('America/Havana', 'Asia/Beirut', 'Africa/Cairo', 'America/Sao_Paulo', 'Asia/Kathmandu', 'Pacific/Apia')
    const cases = Array.from({ length: 3_000 }, () => ({
      moment: new Date(Date.UTC(2026, 0, 1) + below(5 * 365 * DAY_MS)).toISOString(),
      timezone: pick(zones),
      billing_day: 1 + below(31),
      period: pick(['hour', 'day', 'week', 'month']),
    }))
    // Nights when clocks move, to the minute.
    for (const night of ['2026-03-29', '2026-10-25', '2026-03-08', '2026-11-01', '2026-04-05', '2026-10-04'])
      for (let i = 0; i < 300; i++) {
        const moment = new Date(Date.parse(night) - DAY_MS / 2 + below(DAY_MS)).toISOString()
        cases.push({ moment, timezone: pick(zones), billing_day: 1, period: pick(['hour', 'day', 'week']) })
      }
    const broken = await ctx.database`
      select c.*, p.*, n.period_start as next_start, b.period_start as again
      from json_to_recordset(${JSON.stringify(cases)}::text::json) as c
          (moment timestamptz, timezone text, billing_day int, period text),
      lateral quota_period(c.moment, c.period, c.billing_day, c.timezone) p,
      lateral quota_period(p.period_end, c.period, c.billing_day, c.timezone) n,
      lateral quota_period(p.period_end - interval '1 microsecond', c.period, c.billing_day, c.timezone) b
      where not (p.period_start <= c.moment and c.moment < p.period_end and n.period_start = p.period_end
        and b.period_start = p.period_start)`
    expect([random, broken]).toEqual([random, []])
  })
})

test('additional quotas count their feature in their period, including late and earlier events', async () => {
  const server = await createTestServer()
  const { ctx, post } = server
  const use = (feature: string, tokens: number, at = Date.now()) =>
    post('/api/events', { tenant: 'acme-corp', feature, tokens, timestamp: new Date(at).toISOString() })
  await use('a', 10)
  await use('b', 5)
  await use('a', 1_000, Date.now() - 8 * DAY_MS)
  for (const [feature, period] of [
    ['a', 'day'],
    ['a', 'hour'],
    [undefined, 'week'],
    ['c', 'month'],
  ])
    expect(
      (await post('/api/quotas', { tenant: 'acme-corp', feature, period, tokenLimit: 100, hard: false })).status,
    ).toBe(201)
  await use('a', 3)
  await use('b', 2)
  await use('c', 7)
  await use('a', 500, Date.now() - 8 * DAY_MS) // of a period before the quotas: none of theirs
  const counted = (await quotasOf(server)).map((quota) => [quota.feature, quota.period, quota.totalTokens])
  const sorted = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).toSorted()
  const monthly = counted.shift()!
  expect(monthly.slice(0, 2)).toEqual([undefined, 'month'])
  expect(sorted(counted)).toEqual(
    sorted([
      ['a', 'day', 13],
      ['a', 'hour', 13],
      [undefined, 'week', 27],
      ['c', 'month', 7],
    ]),
  )
  expect(await verify(ctx.database)).toEqual([])
})

test('a new time zone or billing day begins every quota again with its open period', async () => {
  const server = await createTestServer()
  const { ctx, post, request } = server
  for (const period of ['hour', 'day', 'week', 'month'])
    await post('/api/quotas', { tenant: 'acme-corp', period, tokenLimit: 1_000 })
  for (let hours = 0; hours < 40; hours++)
    await post('/api/events', {
      tenant: 'acme-corp',
      feature: 'x',
      tokens: 1,
      timestamp: new Date(Date.now() - hours * HOUR_MS).toISOString(),
    })
  await post('/api/reservations', { tenant: 'acme-corp', feature: 'x', tokens: 9 })
  for (const timezone of ['Asia/Tokyo', 'Asia/Kathmandu', 'America/Los_Angeles', 'UTC']) {
    await request('PATCH', '/api/tenants/acme-corp', { timezone, billingDay: new Date().getUTCDate() })
    expect([timezone, await verify(ctx.database)]).toEqual([timezone, []])
    for (const quota of await quotasOf(server)) {
      const [row] = await ctx.database`
        select count(*)::int as n
          from events where created_at >= ${quota.periodStart} and created_at < ${quota.resetAt}`
      expect([timezone, quota.period, quota.totalTokens, quota.reservedTokens]).toEqual([
        timezone,
        quota.period,
        row!.n,
        9,
      ])
    }
  }
})

test('each quota alerts by its own name and thresholds; a change alerts at once, and repeats nothing', async () => {
  const { ctx, get, post, request } = await createTestServer()
  const add = async (settings: object) =>
    (await post('/api/quotas', { tenant: 'acme-corp', tokenLimit: 50_000, ...settings })).body.id
  const day = await add({ feature: 'gpt-4-turbo', period: 'day' })
  await add({ period: 'hour', thresholds: [90], hard: false })
  await post('/api/events', { tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens: 42_000 })
  const told = async () =>
    (await get('/api/alerts')).body.alerts.map(({ quota, threshold }: any) => [
      quota.feature,
      quota.period,
      quota.tokenLimit,
      threshold,
    ])
  expect(await told()).toEqual([['gpt-4-turbo', 'day', 50_000, 80]])
  await post('/api/events', { tenant: 'acme-corp', feature: 'other', tokens: 3_000 })
  expect(await told()).toEqual([
    [undefined, 'hour', 50_000, 90],
    ['gpt-4-turbo', 'day', 50_000, 80],
  ])
  await request('PATCH', `/api/quotas/${day}`, { tokenLimit: 42_000 })
  expect(await told()).toHaveLength(3)
  expect((await told())[0]).toEqual(['gpt-4-turbo', 'day', 42_000, 100])
  await request('PATCH', `/api/quotas/${day}`, { thresholds: [80, 100], hard: false })
  expect(await told()).toHaveLength(3)
  await add({ feature: 'other', period: 'week', tokenLimit: 3_000 }) // reached from its first moment
  expect((await told()).slice(0, 2)).toEqual([
    ['other', 'week', 3_000, 100],
    ['other', 'week', 3_000, 80],
  ])
  await request('DELETE', `/api/quotas/${day}`)
  expect(await told()).toHaveLength(5)
  expect(await verify(ctx.database)).toEqual([])
})

test('quotas over HTTP: bad input names its field, tenants can only read their own, changes are audited', async () => {
  const { ctx, get, post, request } = await createTestServer()
  const good = { tenant: 'acme-corp', period: 'day', tokenLimit: 10 }
  for (const [body, field] of [
    [{ ...good, period: 'year' }, 'period'],
    [{ ...good, period: undefined }, 'period'],
    [{ ...good, tokenLimit: 0 }, 'tokenLimit'],
    [{ ...good, tokenLimit: '10' }, 'tokenLimit'],
    [{ ...good, hard: 'yes' }, 'hard'],
    [{ ...good, thresholds: [0] }, 'thresholds.0'],
    [{ ...good, feature: '' }, 'feature'],
    [{ ...good, color: 'red' }, 'color'],
  ] as const) {
    const answer = await post('/api/quotas', body)
    expect([body, answer.status, answer.body.errors?.[0]?.field]).toEqual([body, 400, field])
  }
  const made = (await post('/api/quotas', good)).body
  expect(made).toMatchObject({ tenantName: 'acme-corp', period: 'day', hard: true, thresholds: [80, 100] })
  expect((await get(`/api/quotas/${made.id}`)).body).toEqual(made)
  const changed = await request('PATCH', `/api/quotas/${made.id}`, {
    hard: false,
    tokenLimit: 20,
    thresholds: [90, 50],
  })
  expect(changed.body).toEqual({ ...made, hard: false, tokenLimit: 20, thresholds: [50, 90] })
  expect((await request('PATCH', `/api/quotas/${made.id}`, {})).status).toBe(400)
  expect((await request('PATCH', `/api/quotas/${made.id}`, { period: 'hour' })).status).toBe(400)
  const key = (await post('/api/keys', { name: 'k', scopes: ['admin'], tenant: 'acme-corp' })).body.key
  const own = { authorization: `Bearer ${key}` }
  expect((await get('/api/quotas', own)).body.quotas).toHaveLength(1)
  expect((await request('PATCH', `/api/quotas/${made.id}`, { tokenLimit: 99 }, own)).status).toBe(403)
  expect((await request('DELETE', `/api/quotas/${made.id}`)).body.id).toBe(made.id)
  expect((await request('DELETE', `/api/quotas/${made.id}`)).body.code).toBe('quota_not_found')
  const actions = (await get('/api/audit')).body.entries.map(({ action }: any) => action)
  expect(actions.filter((action: string) => action.startsWith('quota'))).toEqual([
    'quota.deleted',
    'quota.updated',
    'quota.created',
  ])
  await seed(ctx.database, [{ name: 'seeded', quotas: [{ period: 'day', tokenLimit: 5, hard: false }] }])
  expect((await get('/api/quotas?tenant=seeded')).body.quotas).toMatchObject([{ period: 'day', hard: false }])
})

test('a duplicate quota is refused with its id, also when requests race, by a change, and in a seed file', async () => {
  const { ctx, post, get, request } = await createTestServer()
  const quota = { tenant: 'acme-corp', feature: 'x', period: 'day', tokenLimit: 10 }
  const [first, second] = await Promise.all([post('/api/quotas', quota), post('/api/quotas', quota)])
  const [made, refused] = first.status === 201 ? [first, second] : [second, first]
  expect(made.status).toBe(201)
  expect(refused).toMatchObject({ status: 409, body: { code: 'quota_exists', quota: made.body.id } })
  expect(refused.body.detail).toContain(made.body.id)
  expect((await post('/api/quotas', { ...quota, hard: true, thresholds: [50] })).status).toBe(409)
  const others = [{ tokenLimit: 11 }, { hard: false }, { period: 'week' }, { feature: 'y' }, { feature: undefined }]
  for (const other of [...others, { tenant: 'globex-inc' }])
    expect([other, (await post('/api/quotas', { ...quota, ...other })).status]).toEqual([other, 201])
  expect((await get('/api/quotas?tenant=acme-corp')).body.quotas).toHaveLength(6)
  const { id } = (await post('/api/quotas', { ...quota, tokenLimit: 12 })).body
  const change = (body: object) => request('PATCH', `/api/quotas/${id}`, body)
  expect(await change({ tokenLimit: 10 })).toMatchObject({ status: 409, body: { quota: made.body.id } })
  expect((await get(`/api/quotas/${id}`)).body.tokenLimit).toBe(12)
  expect((await change({ tokenLimit: 10, hard: false })).status).toBe(409)
  // Equal ones of an earlier release can still change in what they may differ.
  await ctx.database`update quotas set token_limit = 10 where id = ${id}`
  expect([(await change({ thresholds: [5] })).status, (await change({ tokenLimit: 13 })).status]).toEqual([200, 200])
  const settings = { period: 'day', tokenLimit: 10 }
  const twins = TenantSeed.safeParse({ name: 'a', quotas: [settings, { ...settings, hard: true, thresholds: [1] }] })
  expect(twins.error?.issues).toMatchObject([{ path: ['quotas'], message: 'must not hold the same quota twice' }])
  expect(TenantSeed.safeParse({ name: 'a', quotas: [settings, { ...settings, hard: false }] }).success).toBe(true)
})

describe('a check', () => {
  const ask = (tokens: number, feature = 'x') => ({ tenant: 'acme-corp', feature, tokens })

  test('answers from the tightest hard quota of the feature, takes nothing, and says how old it is', async () => {
    const { post, request } = await createTestServer()
    expect((await post('/api/check', ask(1_000_000))).body).toMatchObject({
      allowed: true,
      remaining: 1_000_000,
      quota: { period: 'month', totalTokens: 0 },
      ageMs: expect.any(Number),
    })
    await post('/api/quotas', { tenant: 'acme-corp', feature: 'x', period: 'day', tokenLimit: 100 })
    await post('/api/quotas', { tenant: 'acme-corp', period: 'hour', tokenLimit: 50, hard: false })
    await sleep(1_000)
    const [fits, exceeds, other] = await Promise.all([
      post('/api/check', ask(100)),
      post('/api/check', ask(101)),
      post('/api/check', ask(101, 'y')),
    ])
    expect(fits.body).toMatchObject({ allowed: true, remaining: 100, quota: { feature: 'x', period: 'day' } })
    expect(exceeds.body).toMatchObject({ allowed: false, remaining: 100 })
    expect(exceeds.body.resetAt).toBe(exceeds.body.quota.resetAt)
    expect(other.body).toMatchObject({ allowed: true, remaining: 1_000_000 })
    await request('PATCH', '/api/tenants/acme-corp', { monthlyHard: false })
    await sleep(1_000)
    expect((await post('/api/check', ask(2_000_000, 'y'))).body).toMatchObject({
      allowed: true,
      remaining: 50,
      quota: { period: 'hour', hard: false },
    })
  })

  test('is never more than a second behind', async () => {
    const { post } = await createTestServer({ LIMIT_REQUESTS: '0' })
    let running = true
    const asking = (async () => {
      while (running) await post('/api/check', ask(1)) // keeps it in memory
    })()
    let used = 0
    for (let i = 0; i < 3; i++) {
      await post('/api/events', ask(1_000))
      used += 1_000
      await sleep(1_000)
      const { remaining, ageMs } = (await post('/api/check', ask(1))).body
      expect([remaining, ageMs < 1_000]).toEqual([1_000_000 - used, true])
    }
    running = false
    await asking
  })

  test('is allowed while the database is away, unless the tenant is closed; then it is right again', async () => {
    const { databaseUrl } = await createTestServer()
    const proxy = await createProxy(databaseUrl)
    const { post, request } = await createTestServer({ DATABASE_URL: proxy.url, LIMIT_REQUESTS: '0' })
    await request('PATCH', '/api/tenants/globex-inc', { failMode: 'closed' })
    const check = async (tenant: string) => (await post('/api/check', { ...ask(1), tenant })).body
    for (const tenant of ['acme-corp', 'globex-inc']) expect((await check(tenant)).remaining).toBe(1_000_000)
    proxy.set('closed')
    await sleep(1_000)
    expect(await check('acme-corp')).toEqual({ allowed: true, failMode: 'open' })
    expect(await check('globex-inc')).toEqual({ allowed: false, failMode: 'closed' })
    proxy.set('open')
    await until(async () => (await check('acme-corp')).remaining === 1_000_000)
  })
})
