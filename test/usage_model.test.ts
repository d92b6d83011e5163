import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import { parseDollars } from '../lib/prices/money.ts'
import { createTestServer, startConsumers, until } from './_context.ts'

const anthropic = { input_tokens: 100, cache_read_input_tokens: 900, cache_creation_input_tokens: 0, output_tokens: 50 }
const call = { tenant: 'acme-corp', feature: 'chat', model: 'claude-sonnet-4-5', user: 'u-17', usage: anthropic }

test('an event says its model, user, usage and dimensions, and its cost is computed', async () => {
  const { ctx, post, get } = await createTestServer({ DIMENSIONS: 'team,environment', LOG_LEVEL: 'error' })
  const answer = await post('/api/events', { ...call, dimensions: { team: 'search' } })
  expect(answer).toMatchObject({ status: 201 })
  const { body } = await get('/api/usage/acme-corp')
  // 100 × $3 + 900 × $0.30 + 50 × $15 per million
  expect(body).toMatchObject({
    totalTokens: 1050,
    eventCount: 1,
    pools: { input: 100, cacheRead: 900, cacheWrite: 0, output: 50, reasoning: 0 },
    cost: '0.00132',
    unpricedEvents: 0,
  })
  for (const [by, value] of Object.entries({ feature: 'chat', model: call.model, user: 'u-17', team: 'search' })) {
    const { status, body: split } = await get(`/api/usage/acme-corp?by=${by}`)
    expect({ by, status, values: split.values }).toEqual({
      by,
      status: 200,
      values: [
        {
          value,
          totalTokens: 1050,
          eventCount: 1,
          pools: { input: 100, cacheRead: 900, cacheWrite: 0, output: 50, reasoning: 0 },
          cost: '0.00132',
          unpricedEvents: 0,
        },
      ],
    })
    const series = await get(`/api/usage/acme-corp/series?by=${by}&metric=cost`)
    const [shown] = series.body.features ?? series.body.values
    expect({ by, points: shown.points }).toMatchObject({ by, points: [{ totalTokens: 1050, cost: '0.00132' }] })
  }
  expect(await verify(ctx.database)).toEqual([])
})

const [INPUT, READ, WRITE, OUTPUT, REASONING] = [80, 800, 120, 30, 20]
/** One call, as each of the seven shapes says it. */
const SHAPES: Record<string, object> = {
  'the five pools': { input: INPUT, cacheRead: READ, cacheWrite: WRITE, output: OUTPUT, reasoning: REASONING },
  'OpenAI Chat Completions': {
    prompt_tokens: 1000,
    completion_tokens: 50,
    total_tokens: 1050,
    prompt_tokens_details: { cached_tokens: READ, cache_write_tokens: WRITE, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: REASONING },
  },
  'OpenAI Responses': {
    input_tokens: 1000,
    input_tokens_details: { cached_tokens: READ, cache_write_tokens: WRITE },
    output_tokens: 50,
    output_tokens_details: { reasoning_tokens: REASONING },
  },
  'Anthropic Messages': {
    input_tokens: INPUT,
    cache_read_input_tokens: READ,
    cache_creation_input_tokens: WRITE,
    output_tokens: 50,
    output_tokens_details: { thinking_tokens: REASONING },
    service_tier: 'standard',
  },
  Gemini: {
    promptTokenCount: 920,
    cachedContentTokenCount: READ,
    toolUsePromptTokenCount: 80,
    candidatesTokenCount: 30,
    thoughtsTokenCount: REASONING,
    totalTokenCount: 1050,
  },
  'Bedrock Converse': {
    inputTokens: INPUT,
    cacheReadInputTokens: READ,
    cacheWriteInputTokens: WRITE,
    outputTokens: 50,
    totalTokens: 1050,
  },
  'Vercel AI SDK': {
    inputTokens: 1000,
    inputTokenDetails: { noCacheTokens: INPUT, cacheReadTokens: READ, cacheWriteTokens: WRITE },
    outputTokens: 50,
    outputTokenDetails: { textTokens: OUTPUT, reasoningTokens: REASONING },
  },
}

test('the same call is the same event, whichever usage object says it', async () => {
  const { ctx, post, get } = await createTestServer()
  const events = Object.entries(SHAPES).map(([user, usage]) => ({ ...call, user, usage }))
  expect((await post('/api/events', events)).body).toMatchObject({ accepted: 7 })
  const { values } = (await get('/api/usage/acme-corp?by=user')).body
  const pools = { input: INPUT, cacheRead: READ, cacheWrite: WRITE, output: OUTPUT, reasoning: REASONING }
  const shown = Object.fromEntries(values.map((one: any) => [one.value, one.pools]))
  expect(shown).toEqual({
    ...Object.fromEntries(Object.keys(SHAPES).map((name) => [name, pools])),
    // Gemini has no tokens that are written to a cache, and Bedrock says nothing of reasoning.
    Gemini: { ...pools, input: INPUT + WRITE, cacheWrite: 0 },
    'Bedrock Converse': { ...pools, output: OUTPUT + REASONING, reasoning: 0 },
  })
  expect(new Set(values.map((one: any) => one.totalTokens))).toEqual(new Set([1050]))
  expect(await verify(ctx.database)).toEqual([])
})

test('a call that used nothing counts as a request; tokens of 0 alone are refused', async () => {
  const { post, get } = await createTestServer()
  expect((await post('/api/events', { ...call, usage: { input: 0, output: 0 } })).status).toBe(201)
  expect((await get('/api/usage/acme-corp')).body).toMatchObject({
    totalTokens: 0,
    eventCount: 1,
    cost: '0',
    unpricedEvents: 0,
  })
  const answer = await post('/api/events', { tenant: 'acme-corp', feature: 'x', tokens: 0 })
  expect([answer.status, answer.body.errors[0].field]).toEqual([400, 'tokens'])
})

test('what is wrong with an event is said by its field, and the rest of its batch counts', async () => {
  const { post, get } = await createTestServer({ DIMENSIONS: 'team,environment' })
  const plain = { tenant: 'acme-corp', feature: 'x' }
  const wrong: [fields: object, field: string, detail: string][] = [
    [{}, 'tokens', 'is required, or usage'],
    [{ tokens: 5, usage: { input: 3, output: 3 } }, 'tokens', 'must equal what usage adds up to: 6'],
    [{ usage: { credits: 5 } }, 'usage', 'credits'],
    [{ usage: { input: -1 } }, 'usage.input', 'must be a whole number'],
    [{ usage: [] }, 'usage', 'must be an object'],
    [{ tokens: 5, model: '' }, 'model', 'must not be empty'],
    [{ tokens: 5, user: '(other)' }, 'user', 'remainder'],
    [{ tokens: 5, user: 7 }, 'user', 'must be a string'],
    [{ tokens: 5, cost: -1 }, 'cost', 'US dollars'],
    [{ tokens: 5, cost: '1.0000000001' }, 'cost', 'nine decimals'],
    [{ tokens: 5, cost: 10_000.01 }, 'cost', 'from 0 to 10,000'],
    [{ tokens: 5, dimensions: { region: 'eu' } }, 'dimensions.region', 'declared are team, environment'],
    [{ tokens: 5, dimensions: { team: 5 } }, 'dimensions.team', 'must be a string'],
    [{ tokens: 5, dimensions: { __proto__: null, constructor: 'x' } }, 'dimensions.constructor', 'not a declared'],
  ]
  const { status, body } = await post('/api/events', [
    ...wrong.map(([fields]) => ({ ...plain, ...fields })),
    { ...plain, tokens: 9, dimensions: { team: 'search', environment: 'test' } },
  ])
  expect([status, body.accepted, body.rejected]).toEqual([207, 1, wrong.length])
  for (const [i, [fields, field, detail]] of wrong.entries()) {
    const [error] = body.results[i].problem.errors
    expect([fields, error.field, error.detail]).toEqual([fields, field, expect.stringContaining(detail)])
  }
  expect((await get('/api/usage/acme-corp')).body.totalTokens).toBe(9)
  const by = await get('/api/usage/acme-corp?by=region')
  expect([by.status, by.body.detail]).toEqual([400, 'by must be one of feature, model, user, team, environment'])
})

test('the same id with another model or user is refused; a true repeat counts once', async () => {
  const { post, get } = await createTestServer()
  const event = { ...call, id: 'once' }
  expect((await post('/api/events', event)).status).toBe(201)
  expect((await post('/api/events', event)).status).toBe(201)
  for (const other of [{ model: 'gpt-4o' }, { user: 'u-18' }, { model: undefined }])
    expect(await post('/api/events', { ...event, ...other })).toMatchObject({
      status: 409,
      body: { code: 'idempotency_key_reused' },
    })
  expect((await get('/api/usage/acme-corp')).body).toMatchObject({ eventCount: 1, cost: '0.00132' })
})

test('a reservation settles with what the call came to', async () => {
  const { ctx, post, get } = await createTestServer()
  const made = await post('/api/reservations', { tenant: 'acme-corp', feature: 'chat', tokens: 5000 })
  const { model, user, usage } = call
  expect((await post(`/api/reservations/${made.body.id}/settle`, { model, user, usage })).status).toBe(200)
  expect((await get('/api/usage/acme-corp?by=model')).body.values).toMatchObject([{ value: model, cost: '0.00132' }])
  expect(await verify(ctx.database)).toEqual([])
})

test('models beyond a thousand, and users beyond a hundred thousand, count exactly, as one', async () => {
  const { ctx, post, get } = await createTestServer({ DIMENSIONS: 'team' })
  // As if so many users had come before.
  const [period] = await ctx.database<{ start: Date }[]>`
    select period_start as start
    from tenants t, billing_period(now(), t.billing_day, t.timezone) where t.name = 'acme-corp'`
  await ctx.database`
    insert into split_counts (tenant_id, period_start, split, value_count)
    select id, ${period!.start}, 'user', 99990 from tenants where name = 'acme-corp'`
  const events = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      tenant: 'acme-corp',
      feature: 'x',
      usage: { input: 1, output: 1 },
      model: `${prefix}-${i}`,
      user: `${prefix}-${i % 20}`,
      cost: '0.5',
      dimensions: { team: `t-${i}` },
    }))
  await Promise.all(['a', 'b', 'c', 'd'].map((prefix) => post('/api/events', events(prefix, 300))))
  expect((await post('/api/events', events('a', 300))).body).toMatchObject({ accepted: 300 })
  for (const [by, most] of [
    ['model', 1000],
    ['user', 10],
    ['team', 300],
  ] as const) {
    const values: any[] = []
    for (let next: string | undefined = ''; next !== undefined;) {
      const page: any = (await get(`/api/usage/acme-corp?by=${by}&limit=400${next && `&after=${next}`}`)).body
      values.push(...page.values)
      next = page.next
    }
    const sum = (field: string) => values.reduce((total, value) => total + Number(value[field]), 0)
    expect([by, values.length, sum('eventCount'), sum('totalTokens'), sum('cost')]).toEqual([
      by,
      by === 'team' ? most : most + 1,
      1500,
      3000,
      750,
    ])
    expect(new Set(values.map(({ value }) => value)).size).toBe(values.length)
    const rest = values.find(({ value }) => value === '(other)')
    if (by === 'team') expect(rest).toBe(undefined)
    else expect(rest.eventCount).toBeGreaterThanOrEqual(by === 'model' ? 200 : 1000)
  }
  expect(await ctx.metrics.registry.metrics()).toMatch(/flagmeter_remainder_events_total [1-9]/)
  expect(await verify(ctx.database)).toEqual([])
})

test('the books stay right when the billing period moves while events come in', async () => {
  const { ctx, post, get, request } = await createTestServer({ DIMENSIONS: 'team' })
  const stop = await startConsumers(ctx, ['rebuild'])
  const now = Date.now()
  const event = (i: number) => ({
    ...call,
    user: `u-${i % 7}`,
    dimensions: { team: `t-${i % 3}` },
    timestamp: new Date(now - (i % 30) * 86_400_000).toISOString(),
  })
  await post(
    '/api/events',
    Array.from({ length: 300 }, (_, i) => event(i)),
  )
  const moving = [7, 28, 3].map(async (billingDay) => await request('PATCH', '/api/tenants/acme-corp', { billingDay }))
  for (let i = 0; i < 20; i++)
    await post(
      '/api/events',
      Array.from({ length: 10 }, (_, k) => event(i * 10 + k)),
    )
  expect((await Promise.all(moving)).map(({ status }) => status)).toEqual([200, 200, 200])
  await until(async () => (await ctx.database`select from tenant_rebuilds`).length === 0)
  expect(await verify(ctx.database)).toEqual([])
  const { values } = (await get('/api/usage/acme-corp?by=user')).body
  const { totalTokens, cost } = (await get('/api/usage/acme-corp')).body
  expect(values.reduce((sum: number, one: any) => sum + one.totalTokens, 0)).toBe(totalTokens)
  expect(values.reduce((sum: bigint, one: any) => sum + parseDollars(one.cost)!, 0n)).toBe(parseDollars(cost))
  await stop()
})
