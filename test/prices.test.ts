import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createKey } from '../lib/admin/keys.ts'
import { verify } from '../cli/verify.ts'
import { parseDollars, formatDollars } from '../lib/prices/money.ts'
import { runCli } from './_cli.ts'
import { createTestServer } from './_context.ts'
import { tenantId } from './_deliveries.ts'
import { emptyFolder } from './_folder.ts'

/**
 * Calls and what they cost, worked out by hand from what the providers publish: model, input, cache reads, cache
 * writes, of which for an hour, output, reasoning, US dollars. Claude Sonnet 4.5 and Gemini 2.5 Pro cost more above
 * 200,000 tokens of input, cached or not.
 */
const CALLS: [string, number, number, number, number, number, number, string][] = [
  ['gpt-4o', 1000, 0, 0, 0, 500, 0, '0.0075'],
  ['gpt-4o', 200, 800, 0, 0, 500, 0, '0.0065'],
  ['gpt-4o', 0, 128000, 0, 0, 1, 0, '0.16001'],
  ['gpt-4o', 1, 0, 0, 0, 0, 0, '0.0000025'],
  ['gpt-4o', 0, 0, 0, 0, 0, 0, '0'],
  ['gpt-4o-mini', 1000, 0, 0, 0, 500, 0, '0.00045'],
  ['gpt-4o-mini', 3, 1, 0, 0, 7, 0, '0.000004725'],
  ['gpt-4o-mini', 123456, 0, 0, 0, 16384, 0, '0.0283488'],
  ['gpt-4.1', 1000, 0, 0, 0, 500, 0, '0.006'],
  ['gpt-4.1', 999999, 1, 0, 0, 32768, 0, '2.2621425'],
  ['o3', 1000, 0, 0, 0, 100, 900, '0.01'],
  ['o3', 50, 2000, 0, 0, 10, 25000, '0.20118'],
  ['gpt-5', 1000, 0, 0, 0, 50, 450, '0.00625'],
  ['gpt-5', 1, 2, 0, 0, 3, 4, '0.0000715'],
  ['claude-sonnet-4-5', 100, 900, 0, 0, 50, 0, '0.00132'],
  ['claude-sonnet-4-5', 100, 900, 500, 0, 50, 0, '0.003195'],
  ['claude-sonnet-4-5', 100, 900, 500, 200, 50, 0, '0.003645'],
  ['claude-sonnet-4-5', 0, 0, 1000, 1000, 0, 20, '0.0063'],
  ['claude-sonnet-4-5', 200000, 0, 0, 0, 1000, 0, '0.615'],
  ['claude-sonnet-4-5', 200001, 0, 0, 0, 1000, 0, '1.222506'],
  ['claude-sonnet-4-5', 1, 150000, 50000, 0, 1000, 0, '0.487506'],
  ['claude-sonnet-4-5', 1, 150000, 50000, 50000, 10, 10, '0.690456'],
  ['claude-opus-4-1', 1000, 0, 0, 0, 500, 0, '0.0525'],
  ['claude-opus-4-1', 10, 20, 30, 15, 40, 50, '0.00766125'],
  ['claude-3-5-haiku-latest', 1000, 0, 0, 0, 500, 0, '0.0028'],
  ['claude-3-5-haiku-latest', 7, 11, 13, 5, 17, 0, '0.00009048'],
  ['claude-haiku-4-5', 1000, 1000, 1000, 0, 1000, 1000, '0.01235'],
  ['claude-haiku-4-5', 1, 1, 1, 1, 1, 1, '0.0000131'],
  ['gemini-2.5-pro', 1000, 0, 0, 0, 100, 400, '0.00625'],
  ['gemini-2.5-pro', 150000, 50000, 0, 0, 100, 400, '0.19875'],
  ['gemini-2.5-pro', 150000, 50001, 0, 0, 100, 400, '0.39500025'],
  ['gemini-2.5-pro', 1000000, 0, 0, 0, 65536, 0, '3.48304'],
  ['gemini-2.5-flash', 1000, 0, 0, 0, 100, 400, '0.00155'],
  ['gemini-2.5-flash', 33, 67, 0, 0, 1, 1, '0.00001691'],
  ['deepseek-chat', 1000, 0, 0, 0, 500, 0, '0.00041'],
  ['deepseek-chat', 1, 1, 0, 0, 1, 0, '0.00000072'],
  ['mistral-large-latest', 1000, 0, 0, 0, 500, 0, '0.005'],
  ['text-embedding-3-small', 8191, 0, 0, 0, 0, 0, '0.00016382'],
  ['grok-4', 1000, 250, 0, 0, 100, 400, '0.0106875'],
  ['grok-4', 0, 1, 0, 0, 0, 1, '0.00001575'],
]

const usageOf = ([, input, cacheRead, cacheWrite, cacheWrite1h, output, reasoning]: (typeof CALLS)[0]) => ({
  input,
  cacheRead,
  cacheWrite,
  cacheWrite1h,
  output,
  reasoning,
})

test('forty calls cost what their providers publish, to the last nano-dollar', async () => {
  const { ctx, post, get } = await createTestServer()
  const events = CALLS.map((call, i) => ({
    tenant: 'acme-corp',
    feature: 'chat',
    model: call[0],
    user: `call-${i}`,
    usage: usageOf(call),
  }))
  expect((await post('/api/events', events)).body).toMatchObject({ accepted: 40, rejected: 0 })
  const { body } = await get('/api/usage/acme-corp?by=user')
  const costs = new Map(body.values.map(({ value, cost }: { value: string; cost: string }) => [value, cost]))
  expect(CALLS.map((call, i) => [...call.slice(0, 7), costs.get(`call-${i}`)])).toEqual(CALLS)
  const total = CALLS.reduce((sum, call) => sum + parseDollars(call[7])!, 0n)
  expect((await get('/api/usage/acme-corp')).body).toMatchObject({ cost: formatDollars(total), unpricedEvents: 0 })
  expect(await verify(ctx.database)).toEqual([])
})

const call = { tenant: 'acme-corp', feature: 'chat', usage: { input: 1000, output: 100 } }
const costBy = async (get: (path: string) => Promise<{ body: any }>, by: string) =>
  Object.fromEntries(
    (await get(`/api/usage/acme-corp?by=${by}`)).body.values.map((one: any) => [
      one.value,
      one.unpricedEvents > 0 ? `${one.cost}, ${one.unpricedEvents} unknown` : one.cost,
    ]),
  )

test('your own price comes before the catalogue, a name before a beginning, and each from its time on', async () => {
  const { ctx, post, get } = await createTestServer()
  const now = Date.now()
  const hour = (ago: number) => new Date(now - ago * 3_600_000).toISOString()
  const prices = [
    { model: 'gpt-*', effectiveFrom: hour(5), input: 1, output: 2 },
    { model: 'gpt-4o*', effectiveFrom: hour(5), input: '3', output: '4' },
    { model: 'gpt-4o', effectiveFrom: hour(2), input: '5.0000005', output: 6 },
    { model: 'gpt-4o', effectiveFrom: hour(1), input: 7, output: 8, request: '0.5' },
    { model: 'tiered', effectiveFrom: hour(5), input: 1, output: 1, tiers: [{ above: 999, input: 10, output: 10 }] },
  ]
  expect(await post('/api/prices', prices)).toMatchObject({ status: 201, body: { prices: { length: 5 } } })
  const at = (user: string, model: string, ago: number) => ({ ...call, user, model, timestamp: hour(ago) })
  const events = [
    at('catalogue', 'gpt-4o', 6),
    at('longest beginning', 'gpt-4o', 3),
    at('name', 'gpt-4o', 1.5),
    at('latest', 'gpt-4o', 0.5),
    at('beginning', 'gpt-4o-2024', 0.5),
    at('other beginning', 'gpt-9', 0.5),
    at('tier', 'tiered', 0.5),
    { ...at('below the tier', 'tiered', 0.5), usage: { input: 999, output: 1 } },
    at('unknown', 'nobody-knows', 0.5),
    { ...at('said', 'gpt-4o', 0.5), cost: '0.000000001' },
    { ...call, user: 'no model' },
    { tenant: 'acme-corp', feature: 'chat', tokens: 5, model: 'gpt-4o', user: 'no usage' },
  ]
  expect((await post('/api/events', events)).body).toMatchObject({ accepted: events.length })
  expect(await costBy(get, 'user')).toEqual({
    catalogue: '0.0035',
    'longest beginning': '0.0034',
    name: '0.005600001', // half a nano-dollar is rounded up
    latest: '0.5078',
    beginning: '0.0034',
    'other beginning': '0.0012',
    tier: '0.011',
    'below the tier': '0.001',
    unknown: '0, 1 unknown',
    said: '0.000000001',
    'no model': '0, 1 unknown',
    'no usage': '0, 1 unknown',
  })
  const shown = await get('/api/prices?model=gpt-4o')
  expect(shown.body.prices.map((price: any) => [price.model, price.input, price.inForce ?? false])).toEqual([
    ['gpt-4o', '7', true],
    ['gpt-4o', '5.0000005', false],
    ['gpt-4o*', '3', false],
    ['gpt-*', '1', false],
    ['openai/gpt-4o', '2.5', false],
  ])
  expect(shown.body.catalogue).toMatchObject({ license: 'MIT', url: expect.stringContaining('genai-prices') })
  expect(await ctx.metrics.registry.metrics()).toContain('flagmeter_unpriced_events_total 1\n')
  expect(await verify(ctx.database)).toEqual([])
})

test('a price that is set again is replaced, one that is the same stays, and each change is audited', async () => {
  const { ctx, post, get, request } = await createTestServer()
  const effectiveFrom = '2026-01-01T00:00:00Z'
  const set = async (input: number) =>
    (await post('/api/prices', { model: 'm', effectiveFrom, input, output: 1 })).body.prices[0].id as string
  const first = await set(1)
  expect(await set(1)).toBe(first)
  const second = await set(2)
  expect(second).not.toBe(first)
  expect((await get('/api/prices')).body.prices).toMatchObject([{ id: second, input: '2', cacheRead: '2' }])
  expect(await request('DELETE', `/api/prices/${second}`)).toMatchObject({ status: 200, body: { id: second } })
  expect(await request('DELETE', `/api/prices/${second}`)).toMatchObject({
    status: 404,
    body: { code: 'price_not_found' },
  })
  expect(await request('DELETE', '/api/prices/17')).toMatchObject({ status: 404 })
  expect((await get('/api/prices')).body.prices).toEqual([])
  const { body } = await get('/api/audit')
  const changes = body.entries.filter(({ action }: { action: string }) => action.startsWith('price.'))
  expect(changes.map(({ action, subject }: any) => [action, subject])).toEqual([
    ['price.deleted', second],
    ['price.created', second],
    ['price.deleted', first],
    ['price.created', first],
  ])
  const bound = await createKey(ctx.database, 'test', { name: 'k', scopes: ['admin'], tenantId: await tenantId(ctx) })
  const reader = await createKey(ctx.database, 'test', { name: 'k', scopes: ['read'] })
  const as = ({ key }: { key: string }) => ({ authorization: `Bearer ${key}` })
  expect((await get('/api/prices', as(bound))).status).toBe(403)
  expect((await get('/api/prices', as(reader))).status).toBe(200)
  expect((await request('POST', '/api/prices', { model: 'm', input: 1, output: 1 }, as(reader))).status).toBe(403)
})

test('a wrong price is refused by the name of its field', async () => {
  const { post } = await createTestServer()
  const good = { model: 'm', input: 1, output: 1 }
  const wrong: [body: unknown, detail: string][] = [
    [{}, 'model is required'],
    [[], 'must not be empty'],
    [{ ...good, model: 'a*b' }, 'model must be the name of a model, or the beginning of one with * behind it'],
    [{ ...good, input: -1 }, 'input must be US dollars'],
    [{ ...good, input: '1e3' }, 'input must be US dollars'],
    [{ ...good, input: '0.0000000001' }, 'input must be US dollars'],
    [{ ...good, input: 1e7 }, 'input must be US dollars'],
    [{ model: 'm', input: 1 }, 'output is required'],
    [{ ...good, effectiveFrom: 'soon' }, 'effectiveFrom must be an RFC 3339 timestamp'],
    [{ ...good, per: 'token' }, 'per is not a known field'],
    [[good, { ...good, tiers: [{ above: 1, input: 1 }] }], '1.tiers.0.output is required'],
    [{ ...good, tiers: [1, 1].map((above) => ({ above, input: 1, output: 1 })) }, 'tiers must differ in above'],
    [Array.from({ length: 1001 }, () => good), 'must be at most 1,000 prices'],
  ]
  for (const [body, detail] of wrong) {
    const answer = await post('/api/prices', body)
    expect([answer.status, answer.body.detail]).toEqual([400, expect.stringContaining(detail)])
  }
})

test('repricing finds what was unknown or wrong, moves every counter, and changes nothing again', async () => {
  const { ctx, url, post, get } = await createTestServer({ DIMENSIONS: 'team' })
  await post('/api/quotas', { tenant: 'acme-corp', feature: 'chat', period: 'day', tokenLimit: 1_000_000, hard: false })
  const timestamp = new Date(Date.now() - 60_000).toISOString()
  const event = { ...call, model: 'our-llama-3', user: 'u', dimensions: { team: 'search' }, timestamp }
  const events = [event, event, { ...event, cost: 1 }, { ...event, model: 'gpt-4o', user: 'v' }]
  expect((await post('/api/events', events)).body).toMatchObject({ accepted: 4 })
  expect(await costBy(get, 'model')).toEqual({ 'our-llama-3': '1, 2 unknown', 'gpt-4o': '0.0035' })
  const env = { FLAGMETER_URL: url }
  const set = await runCli(['price', 'set', 'our-*', '--input', '0.25', '--output', '1.50', '--from', '1d'], env)
  expect(set).toMatchObject({ code: 0, out: expect.stringMatching(/our-\* +\d.* 0\.25 +1\.5 +0\.25/) })
  const reprice = (...args: string[]) => runCli(['reprice', '--from', '1h', ...args], env)
  expect(await reprice('--model', 'gpt-4o')).toMatchObject({ code: 0, out: '4 events looked at, 0 repriced\n' })
  expect(await reprice()).toMatchObject({ code: 0, out: '4 events looked at, 2 repriced\n' })
  expect(await costBy(get, 'model')).toEqual({ 'our-llama-3': '1.0008', 'gpt-4o': '0.0035' })
  expect(await costBy(get, 'user')).toEqual({ u: '1.0008', v: '0.0035' })
  expect(await costBy(get, 'team')).toEqual({ search: '1.0043' })
  expect((await get('/api/usage/acme-corp')).body).toMatchObject({ cost: '1.0043', unpricedEvents: 0 })
  expect(await verify(ctx.database)).toEqual([])
  expect(await reprice()).toMatchObject({ out: '4 events looked at, 0 repriced\n' })
  const [{ id }] = JSON.parse((await runCli(['price', 'list', '--json'], env)).out)
  expect((await runCli(['price', 'delete', id], env)).out).toBe('deleted the price of our-*\n')
  expect(await reprice()).toMatchObject({ out: '4 events looked at, 2 repriced\n' })
  expect(await costBy(get, 'model')).toEqual({ 'our-llama-3': '1, 2 unknown', 'gpt-4o': '0.0035' })
  expect(await verify(ctx.database)).toEqual([])
  expect(await reprice('--tenant', 'nobody')).toMatchObject({ code: 1 })
})

test('prices are imported from what `price list` prints, from LiteLLM and from models.dev', async () => {
  const { url } = await createTestServer()
  const env = { FLAGMETER_URL: url }
  const dir = await emptyFolder()
  const load = async (name: string, value: unknown, ...args: string[]) => {
    const file = join(dir, name)
    await writeFile(file, JSON.stringify(value))
    return await runCli(['price', 'import', file, ...args], env)
  }
  const liteLlm = {
    sample_spec: { input_cost_per_token: 0, output_cost_per_token: 0, litellm_provider: 'one of many' },
    'claude-x': {
      litellm_provider: 'anthropic',
      input_cost_per_token: 3e-6,
      output_cost_per_token: 1.5e-5,
      cache_read_input_token_cost: 3e-7,
      cache_creation_input_token_cost_above_1hr: 6e-6,
      input_cost_per_token_above_200k_tokens: 6e-6,
      output_cost_per_token_above_200k_tokens: 2.25e-5,
    },
    'dall-e': { litellm_provider: 'openai', input_cost_per_pixel: 1 },
  }
  expect((await load('litellm.json', liteLlm)).out).toBe('set 1 prices; 1 have no price per token and were left out\n')
  const modelsDev = {
    acme: { id: 'acme', models: { 'acme-1': { cost: { input: 0.1, output: 0.3 } }, 'acme-0': {} } },
    other: { id: 'other', models: {} },
  }
  expect(await load('api.json', modelsDev)).toMatchObject({
    code: 2,
    err: expect.stringContaining('--provider is missing; it has acme, other'),
  })
  expect((await load('api.json', modelsDev, '--provider', 'acme')).out).toBe(
    'set 1 prices; 1 have no price per token and were left out\n',
  )
  const printed = JSON.parse((await runCli(['price', 'list', '--json'], env)).out)
  expect(printed).toMatchObject([
    { model: 'acme-1', input: '0.1', output: '0.3' },
    {
      model: 'claude-x',
      input: '3',
      cacheRead: '0.3',
      cacheWrite1h: '6',
      tiers: [{ above: 200_000, input: '6', output: '22.5' }],
    },
  ])
  expect((await load('own.json', printed)).out).toBe('set 2 prices\n')
  expect(JSON.parse((await runCli(['price', 'list', '--json'], env)).out)).toEqual(printed)
  expect(await load('wrong.json', { a: 1 })).toMatchObject({
    code: 2,
    err: expect.stringContaining('these are not prices'),
  })
  expect((await runCli(['price', 'list', 'claude-x'], env)).out).toMatch(/claude-x \(and above 200000\) .* applies now/)
})
