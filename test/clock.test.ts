import { v7 as uuidv7 } from 'uuid'
import { expect, inject, test } from 'vitest'
import { createContext, createTestServer, startConsumers, until } from './_context.ts'
import { createProxy } from './_proxy.ts'

const VALKEY_URL = inject('valkeyUrl')
const HOUR_MS = 3_600_000

test('a clock that steps back does not keep events from the stream', async () => {
  let back = 0
  const proxy = await createProxy(VALKEY_URL)
  const server = await createTestServer({ VALKEY_URL: proxy.url }, { clock: () => Date.now() - back })
  const { post, get } = server
  const event = { tenant: 'acme-corp', feature: 'x', tokens: 1 }
  proxy.set('closed')
  expect((await post('/api/events', event)).status).toBe(201)
  back = HOUR_MS
  proxy.set('open')
  await until(async () => {
    await post('/api/events', event)
    return /accepted_total\{path="stream"\} [1-9]/.test((await get('/metrics')).body)
  })
})

test('a clock that steps back does not keep a worker from taking over the entries of a dead one', async () => {
  let back = 0
  const ctx = await createContext({ VALKEY_URL, CLAIM_IDLE_MS: '300' }, { clock: () => Date.now() - back })
  const { valkey, config, database } = ctx
  await startConsumers(ctx, ['rollup'])
  const tenantId = (await ctx.tenants.find(['acme-corp'])).get('acme-corp')!
  const event = () => {
    const now = Date.now()
    return { tenantId, id: uuidv7(), feature: 'x', tokens: 1, createdAt: now, receivedAt: now }
  }
  await ctx.intake.accept([event()])
  await until(async () => (await database`select from events`).length === 1)
  back = HOUR_MS
  const key = config.queueName
  await valkey!
    .multi()
    .xadd(key, '*', 'events', JSON.stringify([event()]))
    .xreadgroup('GROUP', 'rollup', 'dead', 'COUNT', 1, 'STREAMS', key, '>')
    .exec()
  await until(async () => (await database`select from events`).length === 2)
  await until(async () => (await valkey!.xlen(key)) === 0)
})
