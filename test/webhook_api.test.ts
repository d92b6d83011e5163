import { expect, test } from 'vitest'
import { recordEvents } from '../lib/events/record.ts'
import { createTestServer } from './_context.ts'
import { addWebhook, cross, deliveries, tenantId } from './_deliveries.ts'

const URL_WITH_TOKEN = 'https://hooks.slack.com/services/T000/B000/geheim'

test('a seeded tenant gets a disabled example Slack webhook; an existing one stays unchanged', async () => {
  const { get } = await createTestServer()
  const { webhooks } = (await get('/api/webhooks')).body
  expect(webhooks.map(({ tenantName, kind, url, enabled }: any) => [tenantName, kind, url, enabled])).toEqual(
    ['acme-corp', 'globex-inc', 'initech-llc'].map((name) => [name, 'slack', 'https://hooks.slack.com/…', false]),
  )
})

test('a webhook is created, read, changed and deleted; URL and secret are shown only on creation', async () => {
  const { ctx, request, get } = await createTestServer()
  const made = await request('POST', '/api/webhooks', { tenant: 'acme-corp', kind: 'standard', url: URL_WITH_TOKEN })
  expect(made.status).toBe(201)
  expect(made.body).toEqual({
    id: expect.any(String),
    tenant: await tenantId(ctx),
    tenantName: 'acme-corp',
    kind: 'standard',
    url: 'https://hooks.slack.com/…',
    enabled: true,
    createdAt: expect.any(String),
    secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
  })
  const path = `/api/webhooks/${made.body.id}`
  const { secret, ...shown } = made.body
  expect((await get(path)).body).toEqual(shown)
  expect((await get('/api/webhooks?tenant=acme-corp')).body.webhooks.at(-1)).toEqual(shown)
  expect((await request('PATCH', path, { enabled: false })).body).toEqual({ ...shown, enabled: false })
  const moved = (await request('PATCH', path, { url: 'https://example.com:8443/x' })).body
  expect(moved).toEqual({ ...shown, enabled: false, url: 'https://example.com:8443/…' })
  const rotated = (await request('POST', `${path}/rotate`)).body
  expect([rotated.secret === secret, Date.parse(rotated.previousSecretExpiresAt) > Date.now() + 86_000_000]).toEqual([
    false,
    true,
  ])
  const after = JSON.stringify([(await get(path)).body, (await get('/api/webhooks')).body])
  expect(after).not.toMatch(/geheim|whsec/)
  expect((await request('DELETE', path)).body.id).toBe(made.body.id)
  expect([(await get(path)).status, (await request('DELETE', path)).body.code]).toEqual([404, 'webhook_not_found'])
})

test('bad input names its field and changes nothing', async () => {
  const { request, get } = await createTestServer()
  const good = { tenant: 'acme-corp', kind: 'slack', url: 'https://example.com/' }
  for (const [body, status, field] of [
    [{ ...good, kind: 'mail' }, 400, 'kind'],
    [{ ...good, kind: undefined }, 400, 'kind'],
    [{ ...good, url: 7 }, 400, 'url'],
    [{ ...good, url: `https://example.com/${'x'.repeat(2000)}` }, 400, 'url'],
    [{ ...good, enabled: 'yes' }, 400, 'enabled'],
    [{ ...good, secret: 'mine' }, 400, 'secret'],
    [{ ...good, tenant: 'nobody' }, 404, 'tenant'],
  ] as const) {
    const answer = await request('POST', '/api/webhooks', body)
    expect([body, answer.status, answer.body.errors[0].field]).toEqual([body, status, field])
  }
  const { webhooks } = (await get('/api/webhooks')).body
  expect(webhooks).toHaveLength(3)
  const path = `/api/webhooks/${webhooks[0].id}`
  expect((await request('PATCH', path, {})).body.detail).toContain('must hold url or enabled')
  expect((await request('POST', `${path}/rotate`)).body.detail).toBe('a slack webhook has no secret')
  for (const [method, at] of [
    ['GET', 'x'],
    ['PATCH', 'x'],
    ['POST', 'x/test'],
    ['POST', 'x/rotate'],
  ] as const) {
    const answer = await request(method, `/api/webhooks/${at}`, method === 'PATCH' ? { enabled: true } : undefined)
    expect([method, at, answer.status, answer.body.code]).toEqual([method, at, 404, 'webhook_not_found'])
  }
  expect((await get('/api/deliveries/x')).body.code).toBe('delivery_not_found')
  for (const query of ['status=late', 'webhook=x', 'after=-1', 'limit=0', 'x=1'])
    expect([query, (await get(`/api/deliveries?${query}`)).status]).toEqual([query, 400])
})

test('a tenant has at most 100 webhooks, even when many are added at once', async () => {
  const { ctx, request } = await createTestServer({ LIMIT_REQUESTS: '0' })
  for (let i = 0; i < 95; i++) await addWebhook(ctx, await tenantId(ctx), 'https://example.com/')
  const body = { tenant: 'acme-corp', kind: 'slack', url: 'https://example.com/' }
  const answers = await Promise.all(Array.from({ length: 20 }, () => request('POST', '/api/webhooks', body)))
  const [row] = await ctx.database`select count(*)::int as n from webhooks where tenant_id = ${await tenantId(ctx)}`
  expect([row!.n, answers.filter(({ status }) => status === 201).length]).toEqual([100, 4]) // one came with the seed
  expect(answers.find(({ status }) => status !== 201)!.body.code).toBe('too_many_webhooks')
})

test('listings are paged without gaps, newest alerts and deliveries first', async () => {
  const { ctx, get } = await createTestServer()
  await addWebhook(ctx, await tenantId(ctx), 'https://example.com/')
  for (let threshold = 1; threshold <= 7; threshold++) await cross(ctx, threshold)
  await cross(ctx, 8, 'globex-inc')
  const pages = async (path: string, key: string) => {
    const items: any[] = []
    let after = ''
    do {
      const { body } = await get(`${path}limit=2${after}`)
      expect(body[key].length).toBeLessThanOrEqual(2)
      items.push(...body[key])
      after = body.next ? `&after=${body.next}` : ''
    } while (after !== '')
    return items
  }
  const thresholds = (items: any[]) => items.map(({ threshold }) => threshold)
  expect(thresholds(await pages('/api/alerts?', 'alerts'))).toEqual([8, 7, 6, 5, 4, 3, 2, 1])
  expect(thresholds(await pages('/api/alerts?tenant=acme-corp&', 'alerts'))).toEqual([7, 6, 5, 4, 3, 2, 1])
  expect(thresholds(await pages('/api/deliveries?status=pending&', 'deliveries'))).toEqual([7, 6, 5, 4, 3, 2, 1])
  expect(await pages('/api/webhooks?', 'webhooks')).toHaveLength(4)
  expect(await pages('/api/deliveries?tenant=globex-inc&', 'deliveries')).toEqual([])
})

test('a disabled webhook gets no deliveries, and its pending ones are dead until retried', async () => {
  const { ctx, request, post } = await createTestServer()
  const id = await addWebhook(ctx, await tenantId(ctx), 'https://example.com/')
  const other = await addWebhook(ctx, await tenantId(ctx), 'https://example.com/')
  await cross(ctx, 80)
  await request('PATCH', `/api/webhooks/${id}`, { enabled: false })
  await cross(ctx, 90)
  const states = async () =>
    (await deliveries(ctx)).map((row: any) => `${row.webhook_id === id ? 'off' : 'on'} ${row.status}`)
  expect((await states()).toSorted()).toEqual(['off dead', 'on pending', 'on pending'])
  expect((await post('/api/deliveries/retry', { webhook: id })).body).toEqual({ retried: 1, more: false })
  expect((await post('/api/deliveries/retry', { tenant: 'globex-inc' })).body).toEqual({ retried: 0, more: false })
  await request('DELETE', `/api/webhooks/${other}`)
  expect(await states()).toEqual(['off pending'])
})

test('crossings are counted, and the age of pending deliveries is shown', async () => {
  const { ctx, get } = await createTestServer({ DELIVERY_RETRY_SECONDS: '1000' })
  await addWebhook(ctx, await tenantId(ctx), 'https://nowhere.invalid/')
  const event = { tenantId: await tenantId(ctx), feature: 'x', createdAt: Date.now(), receivedAt: Date.now() }
  await recordEvents(ctx, [{ ...event, id: crypto.randomUUID(), tokens: 2_000_000 }])
  await ctx.database`update deliveries set created_at = now() - interval '1 hour'`
  const { default: deliver } = await import('../handlers/deliver.ts')
  await deliver.consume(ctx, new AbortController().signal)
  await deliver.consume(ctx, new AbortController().signal)
  const text: string = (await get('/metrics')).body
  expect(text).toMatch(/^flagmeter_threshold_crossings_total 2$/m)
  expect(text).toMatch(/^flagmeter_deliveries_total{outcome="retried"} 2$/m)
  expect(Number(/^flagmeter_delivery_oldest_seconds (\S+)$/m.exec(text)![1])).toBeGreaterThan(3_590)
})

test('a webhook gets at most ten test messages a minute, even for concurrent requests', async () => {
  const { ctx, request } = await createTestServer({ DATABASE_POOL_SIZE: '20' })
  const tenant = await tenantId(ctx)
  const add = () => addWebhook(ctx, tenant, URL_WITH_TOKEN)
  const [first, second] = [await add(), await add()]
  const answers = await Promise.all(Array.from({ length: 100 }, () => request('POST', `/api/webhooks/${first}/test`)))
  const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b)
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 202), ...Array.from({ length: 90 }, () => 429)])
  const refused = answers.find(({ status }) => status === 429)!
  expect([refused.body.code, refused.headers.get('retry-after')]).toEqual(['rate_limited', '60'])
  expect((await request('POST', `/api/webhooks/${second}/test`)).status).toBe(202)
  await ctx.database`update deliveries set created_at = created_at - interval '1 minute'`
  expect((await request('POST', `/api/webhooks/${first}/test`)).status).toBe(202)
})
