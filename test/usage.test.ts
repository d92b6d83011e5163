import { describe, expect, test } from 'vitest'
import { updateTenant } from './_tenants.ts'
import { verify } from '../cli/verify.ts'
import { query } from '../lib/store/database.ts'
import { recordEvents } from '../lib/events/record.ts'
import { quotaPercent } from '../lib/usage/usage.ts'
import { createContext, createTestServer } from './_context.ts'

describe('GET /api/usage/:tenant', () => {
  test('answers the contract', async () => {
    const clock = () => Date.parse('2025-11-20T12:00:00Z')
    const server = await createTestServer({}, { clock })
    await server.post('/api/events', { tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens: 800_000 })
    await server.post('/api/events', { tenant: 'acme-corp', feature: 'gpt-4o', tokens: 20_000 })
    const { status, body } = await server.get('/api/usage/acme-corp')
    expect(status).toBe(200)
    expect(body).toEqual({
      tenant: expect.stringMatching(/^[0-9a-f-]{36}$/),
      tenantName: 'acme-corp',
      totalTokens: 820_000,
      eventCount: 2,
      pools: { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, reasoning: 0 },
      cost: '0',
      unpricedEvents: 2,
      monthlyQuota: 1_000_000,
      quotaPercent: 82,
      periodStart: '2025-11-01T00:00:00.000Z',
      periodEnd: '2025-11-30T23:59:59.999Z',
      features: [
        { feature: 'gpt-4-turbo', totalTokens: 800_000, eventCount: 1 },
        { feature: 'gpt-4o', totalTokens: 20_000, eventCount: 1 },
      ],
      quotas: [
        {
          id: body.tenant,
          period: 'month',
          hard: true,
          tokenLimit: 1_000_000,
          totalTokens: 820_000,
          reservedTokens: 0,
          quotaPercent: 82,
          periodStart: '2025-11-01T00:00:00.000Z',
          resetAt: '2025-12-01T00:00:00.000Z',
        },
      ],
    })
    expect((await server.get(`/api/usage/${body.tenant}`)).body).toEqual(body)
  })

  test('is 404 for an unknown tenant, 400 for an unknown parameter', async () => {
    const server = await createTestServer()
    expect((await server.get('/api/usage/nobody')).body).toMatchObject({ status: 404, code: 'tenant_not_found' })
    expect((await server.get('/api/usage/acme-corp?month=1')).body).toMatchObject({
      status: 400,
      errors: [{ field: 'month' }],
    })
    expect((await server.get('/api/usage/a%00b')).body).toMatchObject({ status: 400, errors: [{ field: 'tenant' }] })
  })

  test('percent is rounded down: 100 means reached', () => {
    expect([quotaPercent(999_999, 1_000_000), quotaPercent(1_000_000, 1_000_000), quotaPercent(1, 3)]).toEqual([
      99.99, 100, 33.33,
    ])
    expect(quotaPercent(999_999_999_999_999, 1e15)).toBe(99.99)
  })
})

test('GET /api/usage lists every tenant by name, page by page', async () => {
  const server = await createTestServer()
  const first = (await server.get('/api/usage?limit=2')).body
  expect(first.tenants.map((usage: any) => usage.tenantName)).toEqual(['acme-corp', 'globex-inc'])
  const second = (await server.get(`/api/usage?limit=2&after=${first.next}`)).body
  expect(second).toEqual({ tenants: [expect.objectContaining({ tenantName: 'initech-llc', totalTokens: 0 })] })
  expect((await server.get('/api/usage?limit=0')).body.errors[0].field).toBe('limit')
  expect((await server.get('/api/usage?after=a%00b')).body.errors[0].field).toBe('after')
})

describe('GET /api/usage/:tenant/series', () => {
  test('sums rollups by minute, hour and day of the tenant, for all features or one', async () => {
    const now = Date.parse('2026-03-10T12:00:30Z')
    const server = await createTestServer({}, { clock: () => now })
    await updateTenant(server.ctx.database, 'acme-corp', { timezone: 'Asia/Tokyo' })
    const at = (timestamp: string, feature: string, tokens: number) => ({
      tenant: 'acme-corp',
      feature,
      tokens,
      timestamp,
    })
    await server.post('/api/events', [
      at('2026-03-09T14:59:59.999Z', 'a', 1), // 23:59 in Tokyo
      at('2026-03-09T15:00:00Z', 'a', 10),
      at('2026-03-09T15:00:59Z', 'b', 100),
      at('2026-03-09T16:30:00Z', 'a', 1000),
    ])
    const series = async (search: string) => {
      const { body } = await server.get(
        `/api/usage/acme-corp/series?from=2026-03-09T00:00:00Z&to=2026-03-10T00:00:00Z${search}`,
      )
      return body.points.map((point: any) => [point.start, point.totalTokens])
    }
    expect(await series('&step=minute&feature=a')).toEqual([
      ['2026-03-09T14:59:00.000Z', 1],
      ['2026-03-09T15:00:00.000Z', 10],
      ['2026-03-09T16:30:00.000Z', 1000],
    ])
    expect(await series('&step=hour')).toEqual([
      ['2026-03-09T14:00:00.000Z', 1],
      ['2026-03-09T15:00:00.000Z', 110],
      ['2026-03-09T16:00:00.000Z', 1000],
    ])
    expect(await series('&step=day')).toEqual([
      ['2026-03-08T15:00:00.000Z', 1],
      ['2026-03-09T15:00:00.000Z', 1110],
    ])
  })

  test('is bounded, and says which parameter is wrong', async () => {
    const server = await createTestServer()
    const path = '/api/usage/acme-corp/series'
    expect((await server.get(path)).body).toMatchObject({ step: 'hour', points: [] })
    expect((await server.get(`${path}?step=minute&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z`)).body.code).toBe(
      'series_too_long',
    )
    const byFeature = (hours: number) => {
      const to = new Date(Date.parse('2026-01-01T00:00:00Z') + hours * 3_600_000).toISOString()
      return server.get(`${path}?step=minute&by=feature&from=2026-01-01T00:00:00Z&to=${to}`)
    }
    expect([(await byFeature(25)).status, (await byFeature(25.1)).body.code]).toEqual([200, 'series_too_long'])
    expect((await server.get(`${path}?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z`)).body.errors[0].field).toBe(
      'from',
    )
    expect((await server.get(`${path}?step=year`)).body.errors[0].field).toBe('step')
    expect((await server.get(`${path}?from=yesterday`)).body.errors[0].field).toBe('from')
    expect((await server.get(`${path}?from=0000-01-01T00:00:00%2B14:00`)).body.errors[0].field).toBe('from')
    expect((await server.get(`${path}?to=9999-12-31T23:00:00-14:00`)).body.errors[0].field).toBe('to')
  })
})

describe('a billing period', () => {
  const cases: [string, number, string, string, string][] = [
    ['2026-02-10T00:00:00Z', 31, 'UTC', '2026-01-31T00:00:00Z', '2026-02-28T00:00:00Z'],
    ['2026-02-28T00:00:00Z', 31, 'UTC', '2026-02-28T00:00:00Z', '2026-03-31T00:00:00Z'],
    ['2024-02-29T12:00:00Z', 30, 'UTC', '2024-02-29T00:00:00Z', '2024-03-30T00:00:00Z'],
    ['2026-03-30T23:59:59Z', 31, 'UTC', '2026-02-28T00:00:00Z', '2026-03-31T00:00:00Z'],
    ['2026-12-31T23:59:59.999Z', 1, 'UTC', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['2026-10-31T23:30:00Z', 1, 'Europe/Berlin', '2026-10-31T23:00:00Z', '2026-11-30T23:00:00Z'],
    ['2026-10-20T00:00:00Z', 1, 'Europe/Berlin', '2026-09-30T22:00:00Z', '2026-10-31T23:00:00Z'],
    ['2026-05-01T06:00:00Z', 1, 'America/Los_Angeles', '2026-04-01T07:00:00Z', '2026-05-01T07:00:00Z'],
    ['2026-05-14T18:15:00Z', 15, 'Asia/Kathmandu', '2026-05-14T18:15:00Z', '2026-06-14T18:15:00Z'],
    ['2026-01-01T10:00:00Z', 1, 'Pacific/Kiritimati', '2025-12-31T10:00:00Z', '2026-01-31T10:00:00Z'],
    // Midnight does not exist on 24 April 2026 in Cairo: the day starts at 01:00.
    ['2026-04-23T22:00:00Z', 24, 'Africa/Cairo', '2026-04-23T22:00:00Z', '2026-05-23T21:00:00Z'],
    // Midnight comes twice on 1 November 2026 in Havana: the period starts with the second.
    ['2026-11-01T04:30:00Z', 1, 'America/Havana', '2026-10-01T04:00:00Z', '2026-11-01T05:00:00Z'],
  ]

  test.each(cases)('holds %s on day %i in %s', async (moment, day, zone, start, end) => {
    const { database } = await createContext()
    const [period] = await query<{ period_start: Date; period_end: Date }>(
      database,
      'select * from billing_period($1::timestamptz, $2::int, $3::text)',
      [moment, day, zone],
    )
    expect([period!.period_start.toISOString(), period!.period_end.toISOString()]).toEqual([
      new Date(start).toISOString(),
      new Date(end).toISOString(),
    ])
  })

  test('follows the one before it without gap or overlap, on any day in zones with odd midnights', async () => {
    const { database } = await createContext()
    const zones = [
      'UTC',
      'Africa/Cairo',
      'America/Havana',
      'Asia/Beirut',
      'America/Santiago',
      'Australia/Lord_Howe',
      'Pacific/Apia',
    ]
    const [row] = await database`
      select count(*)::int as wrong
      from unnest(${zones}::text[]) as zone, unnest('{1,15,28,29,30,31}'::int[]) as day,
           generate_series(timestamptz '2024-01-01', timestamptz '2026-01-01', interval '21 hours 45 minutes')
             as moment,
           billing_period(moment, day, zone) as p, billing_period(p.period_end, day, zone) as next
      where not (p.period_start <= moment and moment < p.period_end and next.period_start = p.period_end)`
    expect(row!.wrong).toBe(0)
  })
})

test('a new billing day or time zone re-sorts past usage into the new periods', async () => {
  const now = Date.parse('2026-03-20T12:00:00Z')
  const server = await createTestServer({}, { clock: () => now })
  const timestamps = ['2026-03-14T23:30:00Z', '2026-03-15T00:30:00Z', '2026-03-01T00:00:00Z', '2026-02-20T00:00:00Z']
  const events = timestamps.map((timestamp, i) => ({ tenant: 'acme-corp', feature: 'x', tokens: 10 ** i, timestamp }))
  expect((await server.post('/api/events', events)).status).toBe(201)
  const used = async () => (await server.get('/api/usage/acme-corp')).body
  expect(await used()).toMatchObject({ totalTokens: 111 })
  await updateTenant(server.ctx.database, 'acme-corp', { billingDay: 15 })
  expect(await used()).toMatchObject({ totalTokens: 10, eventCount: 1, periodStart: '2026-03-15T00:00:00.000Z' })
  await updateTenant(server.ctx.database, 'acme-corp', { timezone: 'Europe/Berlin' })
  expect(await used()).toMatchObject({
    totalTokens: 11,
    periodStart: '2026-03-14T23:00:00.000Z',
    features: [{ totalTokens: 11 }],
  })
  await updateTenant(server.ctx.database, 'acme-corp', { monthlyQuota: 22 })
  expect(await used()).toMatchObject({ totalTokens: 11, quotaPercent: 50 })
})

test('settings may change while events are recorded: the counters still match the rollups', async () => {
  const ctx = await createContext()
  const [tenant] = await ctx.database<{ id: string }[]>`select id from tenants where name = 'acme-corp'`
  const record = async (worker: number) => {
    for (let round = 0; round < 30; round++) {
      const events = Array.from({ length: 20 }, () => ({
        tenantId: tenant!.id,
        id: crypto.randomUUID(),
        feature: `f${worker % 3}`,
        tokens: 1,
        createdAt: Date.now() - Math.floor(Math.random() * 30 * 86_400_000),
        receivedAt: Date.now(),
      }))
      await recordEvents(ctx, events)
    }
  }
  const change = async () => {
    for (let day = 1; day <= 28; day++) await updateTenant(ctx.database, 'acme-corp', { billingDay: day })
  }
  await Promise.all([record(0), record(1), record(2), change()])
  const [total] = await ctx.database`select sum(total_tokens)::int as tokens from usage_periods`
  expect(total!.tokens).toBe(1800)
  expect(await verify(ctx.database)).toEqual([])
})
