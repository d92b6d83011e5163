import { randomUUID } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'
import { describe, expect, inject, test } from 'vitest'
import { replayLetters } from '../cli/dead_letter.ts'
import { verify } from '../cli/verify.ts'
import type { Context } from '../lib/context.ts'
import type { Event } from '../lib/events/event.ts'
import { recordEvents } from '../lib/events/record.ts'
import { createContext, createDatabase, createTestServer, startConsumers, until } from './_context.ts'
import { createProxy } from './_proxy.ts'

const VALKEY_URL = inject('valkeyUrl')
const event = (fields: object = {}) => ({ tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens: 100, ...fields })
const used = async (ctx: Context): Promise<number> =>
  Number((await ctx.database`select coalesce(sum(total_tokens), 0) as n from usage_periods`)[0]!.n)
const deadLetters = async (ctx: Context) =>
  ctx.database`select payload, sqlstate, reason from dead_letters order by reason`
const streamLength = (ctx: Context) => ctx.valkey!.xlen(ctx.config.queueName)
const pending = async (ctx: Context) => ((await ctx.valkey!.xpending(ctx.config.queueName, 'rollup')) as [number])[0]

async function storedEvent(ctx: Context, fields: Partial<Event> = {}): Promise<Event> {
  const tenantId = (await ctx.tenants.find(['acme-corp'])).get('acme-corp')!
  const now = Date.now()
  return { tenantId, id: uuidv7(), feature: 'gpt-4o', tokens: 1, createdAt: now, receivedAt: now, ...fields }
}
const add = (ctx: Context, ...events: unknown[]) =>
  ctx.valkey!.xadd(ctx.config.queueName, '*', 'events', JSON.stringify(events))

describe('with Valkey', () => {
  test('an accepted event stays in the stream until the consumer has counted it', async () => {
    const { ctx, post, get } = await createTestServer({ VALKEY_URL })
    expect((await post('/api/events', event())).status).toBe(201)
    expect((await post('/api/events', [event(), event({ id: 'same' }), event({ id: 'same' })])).status).toBe(201)
    expect([await streamLength(ctx), await used(ctx)]).toEqual([2, 0])
    await startConsumers(ctx, ['rollup'])
    await until(async () => (await streamLength(ctx)) === 0)
    expect([await used(ctx), await pending(ctx)]).toEqual([300, 0])
    expect((await get('/api/health')).body.services).toEqual({ database: 'up', redis: 'up' })
  })

  test('the consumer leaves the quota percentage in Valkey for ten seconds', async () => {
    const { ctx, post, get } = await createTestServer({ VALKEY_URL })
    await startConsumers(ctx, ['rollup'])
    await post('/api/events', event({ tokens: 825_000 }))
    const { tenant } = (await get('/api/usage/acme-corp')).body
    const key = `${ctx.config.queueName}:quota-percent:${tenant}`
    await until(async () => (await ctx.valkey!.get(key)) === '82.5')
    expect(await ctx.valkey!.ttl(key)).toBeGreaterThan(8)
  })

  test('a request of 10,000 events becomes entries of a thousand', async () => {
    const { ctx, post } = await createTestServer({ VALKEY_URL })
    await post(
      '/api/events',
      Array.from({ length: 10_000 }, () => event({ tokens: 1 })),
    )
    expect(await streamLength(ctx)).toBe(10)
    await startConsumers(ctx, ['rollup'])
    await until(async () => (await used(ctx)) === 10_000)
  })

  test('poison becomes a dead letter, alone, and can be replayed', async () => {
    const ctx = await createContext({ VALKEY_URL })
    const stranger = randomUUID()
    const good = await Promise.all(Array.from({ length: 50 }, () => storedEvent(ctx)))
    good.splice(20, 0, await storedEvent(ctx, { tenantId: stranger }))
    good.splice(40, 0, await storedEvent(ctx, { feature: 'a\0b' }))
    await add(ctx, ...good)
    await add(ctx, await storedEvent(ctx), { tokens: 'many' }, null, await storedEvent(ctx, { tokens: -1 }))
    await ctx.valkey!.xadd(ctx.config.queueName, '*', 'foreign', 'entry')
    await startConsumers(ctx, ['rollup'])
    await until(async () => (await streamLength(ctx)) === 0)
    expect(await used(ctx)).toBe(51)
    const letters = await deadLetters(ctx)
    expect(letters.map(({ sqlstate }) => String(sqlstate)).toSorted()).toEqual([
      '22021',
      '23503',
      '23514',
      'null',
      'null',
      'null',
    ])
    await ctx.database`insert into tenants (id, name) values (${stranger}, 'late-llc')`
    expect(await replayLetters(ctx, null)).toEqual({ recorded: 1, failed: 5 })
    expect(await used(ctx)).toBe(52)
  })

  test('a lost group is recreated from the start of the stream', async () => {
    const { ctx, post } = await createTestServer({ VALKEY_URL })
    const stop = await startConsumers(ctx, ['rollup'])
    await post('/api/events', event())
    await until(async () => (await used(ctx)) === 100)
    await ctx.valkey!.xgroup('DESTROY', ctx.config.queueName, 'rollup')
    await Promise.all(Array.from({ length: 20 }, () => post('/api/events', event())))
    await until(async () => (await used(ctx)) === 2100)
    await stop()
    await ctx.valkey!.del(ctx.config.queueName)
    await post('/api/events', event())
    await startConsumers(ctx, ['rollup'])
    await until(async () => (await used(ctx)) === 2200)
  })

  test("a dead consumer's entries are taken over and count once, even if already counted", async () => {
    const ctx = await createContext({ VALKEY_URL, CLAIM_IDLE_MS: '300' })
    const events = await Promise.all(Array.from({ length: 5 }, () => storedEvent(ctx)))
    await ctx.valkey!.xgroup('CREATE', ctx.config.queueName, 'rollup', '0', 'MKSTREAM')
    for (const stored of events) await add(ctx, stored)
    await ctx.valkey!.xreadgroup('GROUP', 'rollup', 'dead', 'COUNT', 5, 'STREAMS', ctx.config.queueName, '>')
    await recordEvents(ctx, events.slice(0, 2)) // it died after the commit, before XACK
    await startConsumers(ctx, ['rollup'])
    await until(async () => (await streamLength(ctx)) === 0)
    expect([await used(ctx), await pending(ctx)]).toEqual([5, 0])
  })

  test('a stopped consumer leaves neither pending entries nor its name behind', async () => {
    const { ctx, post } = await createTestServer({ VALKEY_URL })
    const stop = await startConsumers(ctx, ['rollup'])
    await Promise.all(Array.from({ length: 200 }, () => post('/api/events', event())))
    await stop()
    expect(await ctx.valkey!.xinfo('CONSUMERS', ctx.config.queueName, 'rollup')).toEqual([])
    expect((await used(ctx)) + 100 * (await entryCount(ctx))).toBe(20_000)
  })
})

async function entryCount(ctx: Context): Promise<number> {
  const entries = await ctx.valkey!.xrange(ctx.config.queueName, '-', '+')
  return entries.reduce((sum, [, fields]) => sum + JSON.parse(fields[1]!).length, 0)
}

describe('when a store is down', () => {
  test('events go to PostgreSQL while Valkey is down, and through the stream again when it is back', async () => {
    const proxy = await createProxy(VALKEY_URL)
    const { ctx, post, get } = await createTestServer({ VALKEY_URL: proxy.url })
    await startConsumers(ctx, ['rollup'])
    proxy.set('closed')
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('/api/events', event())))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(await used(ctx)).toBe(2000)
    expect(await get('/api/health')).toMatchObject({
      status: 200,
      body: { status: 'degraded', services: { database: 'up', redis: 'down' } },
    })
    proxy.set('open')
    await until(async () => {
      await post('/api/events', event({ tokens: 1 }))
      return /accepted_total\{path="stream"\} [1-9]/.test((await get('/metrics')).body)
    })
    expect((await get('/api/health')).body.status).toBe('healthy')
    await until(async () => (await streamLength(ctx)) === 0)
    expect(await verify(ctx.database)).toEqual([])
  })

  test('a lost answer from Valkey means unknown: the event arrives both ways and counts once', async () => {
    const proxy = await createProxy(VALKEY_URL)
    const { ctx, post } = await createTestServer({ VALKEY_URL: proxy.url, VALKEY_TIMEOUT_MS: '200' })
    proxy.set('mute')
    expect((await post('/api/events', [event(), event()])).status).toBe(201)
    proxy.set('closed')
    proxy.set('open')
    await until(async () => (await streamLength(ctx).catch(() => -1)) === 1)
    expect(await used(ctx)).toBe(200)
    await startConsumers(ctx, ['rollup'])
    await until(async () => (await streamLength(ctx).catch(() => -1)) === 0)
    expect(await used(ctx)).toBe(200)
  })

  test('an outage of PostgreSQL pauses the consumer and costs no event', async () => {
    const databaseUrl = await createDatabase()
    const proxy = await createProxy(databaseUrl)
    const direct = await createContext({ DATABASE_URL: databaseUrl })
    const { ctx, post, get } = await createTestServer({ VALKEY_URL, DATABASE_URL: proxy.url })
    expect((await post('/api/events', event())).status).toBe(201) // the tenant is known from now on
    await startConsumers(ctx, ['rollup'])
    await until(async () => (await used(direct)) === 100)
    proxy.set('closed')
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('/api/events', event())))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(await get('/api/health')).toMatchObject({
      status: 200,
      body: { services: { database: 'down', redis: 'up' } },
    })
    expect((await get('/api/usage/acme-corp')).body).toMatchObject({ status: 503, code: 'unavailable' })
    await new Promise((resolve) => setTimeout(resolve, 500))
    proxy.set('open')
    await until(async () => (await used(direct)) === 2100)
    expect(await deadLetters(direct)).toEqual([])
  })

  test('the answer is 503 only when both are down, with the id that makes a retry count once', async () => {
    const databaseUrl = await createDatabase()
    const proxies = [await createProxy(databaseUrl), await createProxy(VALKEY_URL)] as const
    const env = { DATABASE_URL: proxies[0].url, VALKEY_URL: proxies[1].url, VALKEY_TIMEOUT_MS: '200' }
    const { ctx, post, get } = await createTestServer(env)
    await post('/api/events', event())
    for (const proxy of proxies) proxy.set('closed')
    const { status, body, headers } = await post('/api/events', event())
    expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'unavailable', '1'])
    expect(await get('/api/health')).toMatchObject({
      status: 503,
      body: { status: 'unhealthy', services: { database: 'down', redis: 'down' } },
    })
    expect((await get('/api/health/live')).status).toBe(200)
    for (const proxy of proxies) proxy.set('open')
    await until(async () => (await post('/api/events', event({ id: body.eventId }))).status === 201)
    await startConsumers(ctx, ['rollup'])
    await until(async () => (await used(ctx)) === 200)
  })
})
