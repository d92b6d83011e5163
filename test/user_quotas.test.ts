import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import { type CrossingRow, toCrossing } from '../lib/alerts/crossing.ts'
import { renderNotice } from '../lib/alerts/message.ts'
import { openContext } from '../lib/context.ts'
import { parseConfig } from '../lib/config.ts'
import { writeReservationId } from '../lib/quota/reservation.ts'
import { runCli } from './_cli.ts'
import { createTestServer, startConsumers, until } from './_context.ts'
import { count } from './_counts.ts'
import { tenantId } from './_deliveries.ts'

const call = { tenant: 'acme-corp', feature: 'chat', model: 'm', user: 'u-17' }
/** A price of one dollar per million tokens, whatever kind they are. */
const price = { model: 'm', input: 1, output: 1, effectiveFrom: '2026-01-01T00:00:00Z' }
const usage = (tokens: number) => ({ input: tokens })

const ROUNDS = count(2, 50)
const CALLS = count(300, 1_000)

test(`of ${CALLS} calls at once, a user's cost quota lets exactly those through that fit`, async () => {
  const server = await createTestServer()
  const { ctx, post } = server
  const { ctx: other, release } = await openContext(
    parseConfig({ DATABASE_URL: server.databaseUrl, LOG_LEVEL: 'silent' }),
  )
  const tenant = await tenantId(ctx)
  await post('/api/prices', price)
  await ctx.database`update tenants set monthly_hard = false where id = ${tenant}`
  // A hundred calls of at most 1,000 tokens, which is a tenth of a cent.
  await post('/api/quotas', { tenant, per: 'user', period: 'month', costLimit: '0.1' })
  for (let round = 0; round < ROUNDS; round++) {
    const user = `user-${round}`
    const answers = await Promise.all(
      Array.from({ length: CALLS }, async (_, i) => {
        const wanted = { tenantId: tenant, feature: 'chat', model: 'm', user, input: 900, output: 100, tokens: 1000 }
        const { reservations } = i % 2 === 0 ? ctx : other
        const at = { id: crypto.randomUUID(), createdAt: Date.now(), ttlSeconds: 300 }
        return (await reservations.reserve({ ...wanted, ...at }))!
      }),
    )
    expect(answers.filter(({ granted }) => granted).length).toBe(100)
  }
  await release()
  expect(await verify(ctx.database)).toEqual([])
})

test('quotas of tokens, requests and cost stack; the tightest answers, and who is refused takes nothing', async () => {
  const { ctx, post, get } = await createTestServer()
  await post('/api/prices', price)
  const quota = async (settings: object) =>
    (await post('/api/quotas', { tenant: 'acme-corp', period: 'day', ...settings })).body.id as string
  const ids = {
    cost: await quota({ per: 'user', costLimit: '0.002' }),
    requests: await quota({ per: 'user', model: 'm', requestLimit: 3 }),
    tokens: await quota({ feature: 'chat', tokenLimit: 5_000 }),
  }
  const reserve = async (body: object) => (await post('/api/reservations', { ...call, ...body })).body
  const check = async (body: object) => (await post('/api/check', { ...call, ...body })).body

  const first = await reserve({ input: 900, output: 100 })
  expect(first).toMatchObject({ remainingCost: '0.001' })
  expect(await reserve({ input: 1_000, output: 1 })).toMatchObject({
    code: 'quota_exceeded',
    remainingCost: '0.001',
    quota: { id: ids.cost, user: 'u-17', costLimit: '0.002', totalCost: '0', reservedCost: '0.001' },
    detail: '$0.001 of $0.002 today are left; the call may cost more',
  })
  // The refused one has taken no request, and no tokens of all.
  expect(await reserve({ tokens: 1 })).toMatchObject({ remaining: 1 })
  expect(await reserve({ tokens: 1 })).toMatchObject({ remaining: 0 })
  expect(await reserve({ tokens: 1 })).toMatchObject({
    remaining: 0,
    quota: { id: ids.requests, model: 'm', requestLimit: 3, totalRequests: 0, reservedRequests: 3 },
    detail: '0 of 3 requests to m today are left',
  })
  // Another user has counters of its own, from its first call on; who says no user is held to none of them.
  expect(await reserve({ user: 'u-18', tokens: 2_000 })).toMatchObject({ remainingCost: '0' })
  expect(await reserve({ user: undefined, tokens: 1_998 })).toMatchObject({ remaining: 0 })
  expect(await reserve({ user: undefined, tokens: 1 })).toMatchObject({
    quota: { id: ids.tokens },
    detail: '0 of 5,000 chat tokens today are left; 1 were requested',
  })
  await until(async () => (await check({ user: 'u-18', feature: 'other', tokens: 1 })).allowed === false)
  expect(await check({ user: 'u-18', feature: 'other', tokens: 1 })).toMatchObject({
    allowed: false,
    remainingCost: '0',
    quota: { id: ids.cost, user: 'u-18' },
  })
  expect(await check({ user: 'u-99', feature: 'other', tokens: 2_000 })).toMatchObject({ allowed: true })
  expect(await check({ user: 'u-99', feature: 'other', tokens: 2_001 })).toMatchObject({ allowed: false })
  expect(await verify(ctx.database)).toEqual([])

  // What is settled counts as the reservation's user, though the settlement does not say it.
  const settled = await post(`/api/reservations/${first.id}/settle`, { usage: { input: 400 } })
  expect(settled.status).toBe(200)
  const wrong = await post(`/api/reservations/${first.id}/settle`, { usage: usage(400), user: 'u-18' })
  expect([wrong.status, wrong.body.errors]).toEqual([400, [expect.objectContaining({ field: 'user' })]])
  expect((await get('/api/usage/acme-corp?by=user')).body.values).toMatchObject([{ value: 'u-17', cost: '0.0004' }])
  expect(await verify(ctx.database)).toEqual([])
})

test('a call whose most is unknown has no room in a hard quota of cost, and room in a soft one', async () => {
  const { post, request } = await createTestServer()
  const { body: quota } = await post('/api/quotas', { tenant: 'acme-corp', period: 'day', costLimit: 100 })
  const asked = { tenant: 'acme-corp', feature: 'chat', tokens: 1 }
  for (const body of [asked, { ...asked, model: 'nobody-knows' }]) {
    expect((await post('/api/check', body)).body).toMatchObject({
      allowed: false,
      unpriced: true,
      quota: { id: quota.id },
    })
    const { status, body: problem } = await post('/api/reservations', body)
    expect([status, problem.unpriced, problem.detail]).toEqual([409, true, expect.stringContaining('send its model')])
  }
  expect((await post('/api/reservations', { ...asked, model: 'gpt-4o' })).status).toBe(201)
  expect((await request('PATCH', `/api/quotas/${quota.id}`, { hard: false })).status).toBe(200)
  expect((await post('/api/reservations', asked)).status).toBe(201)
})

test('a settlement of unknown cost costs what was held for it: a quota of cost gets nothing back unspent', async () => {
  const { ctx, post, get } = await createTestServer()
  await post('/api/prices', price)
  await post('/api/quotas', { tenant: 'acme-corp', per: 'user', period: 'day', costLimit: '0.001' })
  const reserve = () => post('/api/reservations', { ...call, tokens: 1_000 })
  const { body: held } = await reserve()
  expect((await post(`/api/reservations/${held.id}/settle`, { tokens: 600 })).status).toBe(200)
  expect((await get('/api/usage/acme-corp?user=u-17')).body).toMatchObject({ cost: '0.0006', unpricedEvents: 0 })
  expect((await reserve()).body).toMatchObject({ code: 'quota_exceeded', remainingCost: '0.0004' })
  expect(await verify(ctx.database)).toEqual([])
})

test('holds of a soft quota never add up to more than can be counted, so other reservations still work', async () => {
  const { ctx, post } = await createTestServer()
  await post('/api/prices', { ...price, output: 1_000_000 })
  await post('/api/quotas', { tenant: 'acme-corp', period: 'day', costLimit: 1, hard: false })
  await ctx.database`update tenants set monthly_hard = false where name = 'acme-corp'`
  const dear = { tenant: 'acme-corp', feature: 'chat', model: 'm', tokens: 1_000_000_000 } // a billion dollars
  const statuses = []
  for (let i = 0; i < 6; i++) statuses.push((await post('/api/reservations', dear)).status)
  expect(statuses).toEqual([201, 201, 201, 201, 409, 409])
  const asked = [dear, { tenant: 'globex-inc', feature: 'chat', tokens: 1 }]
  expect((await Promise.all(asked.map((body) => post('/api/reservations', body)))).map(({ status }) => status)).toEqual(
    [409, 201],
  )
  expect(await verify(ctx.database)).toEqual([])
})

test('the most that a call may cost is held: its dearest tokens, in the dearest tier it can reach', async () => {
  const { post } = await createTestServer()
  const rates = { input: 1, cacheWrite1h: 2, output: 3, reasoning: 4, request: '0.5' }
  const tiers = [{ above: 1000, input: 10, output: 10 }]
  const dear = { model: 'tiered', effectiveFrom: '2026-01-01T00:00:00Z', ...rates, tiers }
  await post('/api/prices', dear)
  await post('/api/quotas', { tenant: 'acme-corp', period: 'day', costLimit: 100 })
  const held = async (body: object) => {
    const asked = { tenant: 'acme-corp', feature: 'chat', model: 'tiered', ...body }
    const before = (await post('/api/reservations', asked)).body.remainingCost
    const after = (await post('/api/reservations', asked)).body.remainingCost
    return Number((Number(before) - Number(after)).toFixed(9))
  }
  expect(await held({ input: 1000, output: 100 })).toBe(0.5024) // 1,000 × $2 + 100 × $4 per million
  expect(await held({ tokens: 1000 })).toBe(0.504)
  expect(await held({ input: 1001, output: 100 })).toBe(0.502402) // in the tier below it costs more
})

test('one user may have a limit of its own', async () => {
  const { post, get, request, url } = await createTestServer()
  const { body: quota } = await post('/api/quotas', {
    tenant: 'acme-corp',
    per: 'user',
    period: 'day',
    requestLimit: 1,
  })
  const path = `/api/quotas/${quota.id}/users`
  const asked = { tenant: 'acme-corp', feature: 'chat', user: 'ü/ 17', tokens: 1 }
  const reserve = async (user: string) => (await post('/api/reservations', { ...asked, user })).status
  const own = `${path}/${encodeURIComponent('ü/ 17')}`
  expect(await request('PUT', own, { requestLimit: 3 })).toMatchObject({
    status: 200,
    body: { user: 'ü/ 17', requestLimit: 3 },
  })
  expect([await reserve('ü/ 17'), await reserve('ü/ 17'), await reserve('ü/ 17'), await reserve('ü/ 17')]).toEqual([
    201, 201, 201, 409,
  ])
  expect([await reserve('u'), await reserve('u')]).toEqual([201, 409])
  const env = { FLAGMETER_URL: url }
  expect((await runCli(['quota', 'exception', 'set', quota.id, 'v', '--request-limit', '2'], env)).code).toBe(0)
  expect((await get(`${path}?limit=1`)).body).toMatchObject({ users: [{ user: 'v' }], next: expect.any(String) })
  expect((await runCli(['quota', 'exception', 'list', quota.id], env)).out).toMatch(/user +limit\nv +2\nü\/ 17 +3\n/)
  expect((await runCli(['quota', 'exception', 'delete', quota.id, 'ü/ 17'], env)).code).toBe(0)
  expect(await request('DELETE', own)).toMatchObject({ status: 404, body: { code: 'user_not_found' } })
  expect(await reserve('ü/ 17')).toBe(409)
  const wrong = await request('PUT', own, { tokenLimit: 3 })
  expect([wrong.status, wrong.body.detail]).toEqual([400, 'tokenLimit must not be set: the quota counts requests'])
  const { body: all } = await post('/api/quotas', { tenant: 'acme-corp', period: 'day', requestLimit: 1_000 })
  expect((await request('PUT', `/api/quotas/${all.id}/users/u`, { requestLimit: 3 })).status).toBe(400)
  const actions = (await get('/api/audit')).body.entries.map(({ action }: { action: string }) => action)
  expect(actions.filter((action: string) => action.startsWith('quota_user'))).toEqual(
    ['deleted', 'created', 'created'].map((what) => `quota_user.${what}`),
  )
})

test('an alert says what was crossed, and by whom; a new limit arms it for those who are beyond', async () => {
  const { ctx, post, get, request } = await createTestServer()
  await post('/api/prices', price)
  const quota = async (settings: object) =>
    (await post('/api/quotas', { tenant: 'acme-corp', hard: false, thresholds: [80, 100], ...settings })).body.id
  const cost = await quota({ period: 'month', costLimit: 0.01 })
  const each = await quota({ period: 'day', per: 'user', tokenLimit: 5_000 })
  const report = (user: string, tokens: number) =>
    post('/api/events', { ...call, user, usage: usage(tokens), id: crypto.randomUUID() })
  await report('u-17', 5_000)
  await report('u-18', 3_200)
  const alerts = async () =>
    (await get('/api/alerts')).body.alerts
      .map(({ threshold, user, quota: of, totalTokens, totalCost }: any) => [
        of.id,
        threshold,
        user,
        totalTokens ?? totalCost,
      ])
      .toReversed()
  expect(await alerts()).toEqual([
    [each, 80, 'u-17', 5_000],
    [each, 100, 'u-17', 5_000],
    [cost, 80, undefined, '0.0082'],
  ])
  // Nobody is told before the next event, and then once.
  await request('PATCH', `/api/quotas/${each}`, { tokenLimit: 3_000 })
  expect((await alerts()).length).toBe(3)
  await report('u-18', 1)
  await report('u-18', 1)
  expect((await alerts()).slice(3)).toEqual([
    [each, 80, 'u-18', 3_201],
    [each, 100, 'u-18', 3_201],
  ])
  const [texts] = await ctx.database`select count(*)::int as n from alerts where user_id = 'u-18'`
  expect(texts!.n).toBe(2)
})

test('a message names the amount, and of a quota per user the user', () => {
  const period = { period_start: new Date('2025-11-21'), period_end: new Date('2025-11-22') }
  const row = { quota_id: '1', feature: null, model: null, user_id: null, quota_version: 1, threshold: 80, ...period }
  const text = (
    crossed: Partial<CrossingRow> & Pick<CrossingRow, 'metric' | 'period' | 'token_limit' | 'total_tokens'>,
  ) => {
    const crossing = { alert: '1', ...toCrossing({ ...row, ...crossed }) }
    const notice = {
      id: '1',
      tenantId: '1',
      tenantName: 'acme-corp',
      kind: 'slack',
      createdAt: new Date(),
      secrets: [],
    } as const
    return JSON.parse(renderNotice({ ...notice, secrets: [], crossing }, 0).body).text
  }
  const [dollars, users] = [500_000_000_000, { user_id: 'u-<17>' }]
  expect(text({ metric: 'tokens', period: 'month', token_limit: 1_000_000, total_tokens: 820_000 })).toBe(
    "FlagMeter: tenant 'acme-corp' has hit 82% of 1,000,000 tokens this month.",
  )
  expect(text({ metric: 'cost', period: 'month', token_limit: dollars, total_tokens: dollars * 0.82 })).toBe(
    "FlagMeter: tenant 'acme-corp' has hit 82% of $500.00 this month.",
  )
  expect(text({ metric: 'tokens', period: 'day', token_limit: 50_000, total_tokens: 50_000, ...users })).toBe(
    "FlagMeter: user 'u-&lt;17&gt;' of tenant 'acme-corp' has hit 100% of 50,000 tokens today.",
  )
  const ofModel = { feature: 'chat', model: 'gpt-4o' }
  expect(text({ metric: 'requests', period: 'hour', token_limit: 100, total_tokens: 90, ...ofModel })).toBe(
    "FlagMeter: tenant 'acme-corp' has hit 90% of 100 chat requests to gpt-4o this hour.",
  )
  expect(text({ metric: 'cost', period: 'week', token_limit: 1, total_tokens: 1, ...ofModel })).toBe(
    "FlagMeter: tenant 'acme-corp' has hit 100% of $0.000000001 of chat to gpt-4o this week.",
  )
})

test('a hard quota of a user that is exceeded is reported with the event', async () => {
  const { post } = await createTestServer()
  await post('/api/quotas', { tenant: 'acme-corp', per: 'user', period: 'day', tokenLimit: 100 })
  expect((await post('/api/events', { ...call, usage: usage(100) })).body.overQuota).toBe(undefined)
  expect((await post('/api/events', { ...call, usage: usage(1) })).body.overQuota).toBe(true)
  expect((await post('/api/events', { ...call, user: 'u-18', usage: usage(1) })).body.overQuota).toBe(undefined)
})

test('what a user has used stays counted when the billing period moves, and is exact again from the next', async () => {
  const { ctx, post, request } = await createTestServer()
  const stop = await startConsumers(ctx, ['rebuild', 'lapse'])
  const { body: quota } = await post('/api/quotas', {
    tenant: 'acme-corp',
    per: 'user',
    period: 'month',
    tokenLimit: 100,
  })
  await post('/api/events', { ...call, usage: usage(60) })
  const { body: held } = await post('/api/reservations', { ...call, tokens: 30 })
  expect((await request('PATCH', '/api/tenants/acme-corp', { billingDay: 17, timezone: 'Asia/Tokyo' })).status).toBe(
    200,
  )
  await until(async () => (await ctx.database`select from tenant_rebuilds`).length === 0)
  expect((await post('/api/reservations', { ...call, tokens: 11 })).body).toMatchObject({
    remaining: 10,
    quota: { id: quota.id, totalTokens: 60, reservedTokens: 30 },
  })
  expect((await post(`/api/reservations/${held.id}/release`, undefined)).status).toBe(200)
  expect((await post('/api/reservations', { ...call, tokens: 40 })).status).toBe(201)
  expect(await verify(ctx.database)).toEqual([])
  await stop()
})

test('what is wrong with a quota, or with a call, is said by its field', async () => {
  const { post } = await createTestServer()
  const quota = { tenant: 'acme-corp', period: 'day' }
  const asked = { tenant: 'acme-corp', feature: 'chat' }
  const wrong: [path: string, body: object, detail: string][] = [
    ['/api/quotas', quota, 'tokenLimit is required, or requestLimit or costLimit'],
    ['/api/quotas', { ...quota, tokenLimit: 1, costLimit: 1 }, 'exactly one of them'],
    ['/api/quotas', { ...quota, costLimit: 0 }, 'costLimit must be US dollars from 0.000000001'],
    ['/api/quotas', { ...quota, costLimit: '1.0000000001' }, 'costLimit must be US dollars'],
    ['/api/quotas', { ...quota, requestLimit: 0 }, 'requestLimit must be a whole number'],
    ['/api/quotas', { ...quota, tokenLimit: 1, per: 'team' }, 'per must be user'],
    ['/api/check', asked, 'tokens is required, or input and output instead of it'],
    ['/api/check', { ...asked, tokens: 1, input: 1, output: 1 }, 'tokens is required, or input and output'],
    ['/api/check', { ...asked, input: 1 }, 'output must be given along with input'],
    ['/api/check', { ...asked, input: 0, output: 0 }, 'input must come to at least one token'],
    ['/api/reservations', { ...asked, tokens: 1, user: '' }, 'user must not be empty'],
  ]
  for (const [path, body, detail] of wrong) {
    const answer = await post(path, body)
    expect([path, body, answer.status, answer.body.detail]).toEqual([path, body, 400, expect.stringContaining(detail)])
  }
})

test('a reservation of an earlier release, whose id names no model and no user, still settles', async () => {
  const { ctx, post } = await createTestServer()
  const { body } = await post('/api/reservations', { tenant: 'acme-corp', feature: 'chat', tokens: 5 })
  expect(Buffer.from(body.id.slice(3), 'base64url').subarray(38).toString()).toBe('chat')
  const forged = {
    tenantId: await tenantId(ctx),
    id: crypto.randomUUID(),
    createdAt: Date.now(),
    feature: 'a',
    user: '(other)',
  }
  expect((await post(`/api/reservations/${writeReservationId(forged)}/settle`, { tokens: 1 })).status).toBe(404)
  expect((await post(`/api/reservations/${body.id}/settle`, { tokens: 1 })).status).toBe(200)
})
