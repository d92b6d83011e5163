import { expect, onTestFailed, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import { createKey } from '../lib/admin/keys.ts'
import { createTestServer } from './_context.ts'
import { atMost } from './_counts.ts'
import { tenantId } from './_deliveries.ts'
import { createRandom } from './_random.ts'

const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000]
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0)

/** A server with random events of three tenants and 14 features over the last 30 days, and those events. */
async function createScene() {
  const now = Math.floor(Date.now() / HOUR) * HOUR + 20 * MINUTE + 15_000
  const server = await createTestServer({ LIMIT_EVENTS: '0' }, { clock: () => now })
  const { seed, next, below: random } = createRandom()
  onTestFailed(() => console.log(`FLAGMETER_SEED=${seed}`))
  const events = Array.from({ length: 4_000 }, (_, i) => ({
    tenant: ['acme-corp', 'globex-inc', 'initech-llc'][random(3)]!,
    feature: `feature-${Math.min(random(14), random(14))}`,
    tokens: 1 + random(10_000),
    at: now - Math.floor(next() ** 4 * 30 * DAY) - (i % 2 === 0 ? random(3 * MINUTE) : 0),
  }))
  for (let from = 0; from < events.length; from += 1_000)
    await server.post(
      '/api/events',
      events.slice(from, from + 1_000).map(({ at, ...event }) => ({ ...event, timestamp: new Date(at).toISOString() })),
    )
  return { server, events, now }
}

test("each tenant's rate, series and split by feature match its events", async () => {
  const { server, events, now } = await createScene()
  const { tenants } = (await server.get('/api/usage')).body
  expect(tenants).toHaveLength(3)
  for (const row of tenants) {
    const own = events.filter(({ tenant }) => tenant === row.tenantName)
    const start = Date.parse(row.periodStart)
    expect(row.totalTokens).toBe(sum(own.filter(({ at }) => at >= start).map(({ tokens }) => tokens)))
    // The share of the oldest minute and hour that is still in range.
    const sliding = (step: number, span: number) =>
      Math.round(
        sum(
          own.map(({ at, tokens }) => {
            const begin = Math.floor(at / step) * step
            return tokens * Math.max(0, Math.min(1, (begin + span + step - now) / step))
          }),
        ),
      )
    expect([row.tenantName, row.tokensPerMinute, row.tokensLastDay]).toEqual([
      row.tenantName,
      sliding(MINUTE, MINUTE),
      sliding(HOUR, DAY),
    ])
    expect(row).toMatchObject({ thresholds: [80, 100], reservedTokens: 0 })

    const { trends } = (await server.get(`/api/trends?tenants=nobody,${row.tenant}`)).body
    expect(trends).toHaveLength(1)
    const [{ tenant, from, stepSeconds, totalTokens }] = trends
    expect([tenant, Date.parse(from), stepSeconds % 3_600]).toEqual([row.tenant, start, 0])
    expect(totalTokens.length).toBeLessThanOrEqual(128)
    expect(Date.parse(from) + totalTokens.length * stepSeconds * 1000).toBeGreaterThan(now)
    const steps = totalTokens.map((_: number, i: number) =>
      sum(own.filter(({ at }) => Math.floor((at - start) / 1000 / stepSeconds) === i).map(({ tokens }) => tokens)),
    )
    expect(totalTokens).toEqual(steps)

    const range = `from=${new Date(now - 2 * DAY).toISOString()}&to=${new Date(now + 1).toISOString()}`
    const series = (await server.get(`/api/usage/${row.tenant}/series?step=hour&by=feature&${range}`)).body
    const totals = series.features.map(({ points }: any) => sum(points.map((point: any) => point.totalTokens)))
    expect(series.features.length).toBeLessThanOrEqual(11)
    expect(series.features.slice(0, 10).every(({ feature }: any) => feature !== null)).toBe(true)
    expect(totals.slice(0, 10)).toEqual(totals.slice(0, 10).sort((a: number, b: number) => b - a))
    for (const { start: at, totalTokens: tokens, eventCount } of series.points) {
      const parts = series.features.flatMap(({ points }: any) => points.filter((point: any) => point.start === at))
      expect([sum(parts.map((part: any) => part.totalTokens)), sum(parts.map((part: any) => part.eventCount))]).toEqual(
        [tokens, eventCount],
      )
    }
  }
  expect(await verify(server.ctx.database)).toEqual([])
  await server.ctx
    .database`update usage_hours set total_tokens = total_tokens + 1 where hour = (select max(hour) from usage_hours)`
  expect(new Set((await verify(server.ctx.database)).map(({ check }) => check))).toEqual(new Set(['hours']))
})

test("bad parameters are refused by name; a tenant's key sees only its own series", async () => {
  const server = await createTestServer()
  const own = await tenantId(server.ctx)
  for (const [path, field] of [
    ['/api/trends', 'tenants'],
    [`/api/trends?tenants=${Array.from({ length: 101 }, (_, i) => `t${i}`).join()}`, 'tenants'],
    ['/api/usage/acme-corp/series?by=tenant', 'by'],
    ['/api/usage/acme-corp/series?by=feature&feature=x', 'by'],
  ]) {
    const { status, body } = await server.get(path!)
    expect([path, status, body.errors?.[0]?.field]).toEqual([path, 400, field])
  }
  const { key } = await createKey(server.ctx.database, 'test', { name: 'k', scopes: ['read'], tenantId: own })
  const { trends } = (await server.get('/api/trends?tenants=acme-corp,globex-inc', { authorization: `Bearer ${key}` }))
    .body
  expect(trends.map(({ tenant }: any) => tenant)).toEqual([own])
})

test('a page of 1,000 tenants out of 10,000, each with days of hours, takes milliseconds', async () => {
  const { ctx, get } = await createTestServer()
  await ctx.database`insert into tenants (name)
    select 'tenant-' || lpad(n::text, 5, '0') from generate_series(1, 10000) n`
  await ctx.database.begin(async (sql) => {
    await sql`set local statement_timeout = 0`
    await sql`
      insert into usage_hours (tenant_id, hour, total_tokens)
      select id, date_bin('1 hour', now(), timestamptz 'epoch') - n * interval '1 hour', 10
        from tenants, generate_series(0, 60) n`
    await sql`analyze usage_hours, tenants`
  })
  const times: number[] = []
  for (let i = 0; i < 5; i++) {
    const startedAt = performance.now()
    const { body } = await get('/api/usage?limit=1000&after=tenant-05000')
    times.push(performance.now() - startedAt)
    expect(body.tenants).toHaveLength(1_000)
    expect(Math.abs(body.tenants[0].tokensLastDay - 245)).toBeLessThanOrEqual(5)
  }
  expect(Math.min(...times)).toBeLessThan(atMost(500))
  console.log(`1,000 of 10,000 tenants: ${Math.min(...times).toFixed(0)} ms`)
})
