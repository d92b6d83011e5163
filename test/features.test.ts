import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import { createTestServer, startConsumers, until } from './_context.ts'
import { want } from './_reservations.ts'

const LIMIT = 1_000
const named = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => want({ feature: `${prefix}-${i}`, tokens: 1 }))

test('features beyond a thousand count exactly, as one, even when many arrive at once', async () => {
  const server = await createTestServer()
  const { ctx, post, get } = server
  await Promise.all(Array.from({ length: 12 }, (_, i) => post('/api/events', named(`f${i}`, 300))))
  await post('/api/events', want({ feature: 'one-more', tokens: 7 }))
  const usage = (await get('/api/usage/acme-corp')).body
  const [known] = await ctx.database`select count(*)::int as n from features`
  expect([known!.n, usage.totalTokens, usage.eventCount]).toEqual([LIMIT, 3_607, 3_601])
  expect(usage.features[0]).toEqual({ feature: '(other)', totalTokens: 3_607 - LIMIT, eventCount: 3_601 - LIMIT })
  expect(usage.features.length).toBe(LIMIT) // the answer lists a thousand
  const series = (await get('/api/usage/acme-corp/series?feature=(other)')).body
  expect(series.points.reduce((sum: number, point: any) => sum + point.totalTokens, 0)).toBe(3_607 - LIMIT)
  expect(await ctx.metrics.registry.metrics()).toContain(`flagmeter_remainder_events_total ${3_601 - LIMIT}`)
  // Another tenant has its own features, and known ones still count separately.
  await post('/api/events', want({ tenant: 'globex-inc', feature: 'one-more' }))
  expect((await get('/api/usage/globex-inc')).body.features[0].feature).toBe('one-more')
  expect(await verify(ctx.database)).toEqual([])
})

test('a feature with a quota counts separately however many there are, so its quota holds', async () => {
  const server = await createTestServer()
  const { ctx, post, get } = server
  await startConsumers(ctx, ['lapse'])
  await post('/api/events', named('f', LIMIT))
  const late = want({ feature: 'late', tokens: 60, id: 'late-1' })
  await post('/api/events', late)
  await post('/api/quotas', { tenant: 'acme-corp', feature: 'late', period: 'day', tokenLimit: 100 })
  expect((await post('/api/events', late)).status).toBe(201) // a true repeat, though it would count elsewhere today
  await post('/api/events', { ...late, id: 'late-2' })
  expect((await post('/api/reservations', want({ feature: 'late', tokens: 60 }))).status).toBe(409)
  const made = await post('/api/reservations', want({ feature: 'late', tokens: 40 }))
  expect((await post(`/api/reservations/${made.body.id}/settle`, { tokens: 40 })).status).toBe(200)
  const [, quota] = (await get('/api/usage/acme-corp')).body.quotas
  expect([quota.totalTokens, quota.reservedTokens]).toEqual([100, 0])
  for (const path of ['/api/events', '/api/check', '/api/reservations'])
    expect((await post(path, want({ feature: '(other)' }))).body.errors[0].field).toBe('feature')
  expect(await verify(ctx.database)).toEqual([])
})

test('no statement is JIT-compiled', async () => {
  const { ctx } = await createTestServer()
  await until(async () => (await ctx.database`show jit`)[0]!.jit === 'off')
})
