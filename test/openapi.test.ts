import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect, test } from 'vitest'
import { createKey } from '../lib/admin/keys.ts'
import { writeReservationId } from '../lib/quota/reservation.ts'
import { type TestAnswer, type TestServer, createTestServer } from './_context.ts'
import { addWebhook, cross, deliveries, tenantId } from './_deliveries.ts'
import { AUTHORIZATION } from './_key.ts'
import { createProxy } from './_proxy.ts'

type Operation = Record<string, any>
interface Route {
  method: string
  path: string
  operation: Operation
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
const NOBODY = '00000000-0000-4000-8000-000000000000'
const big = (bytes: number) => JSON.stringify({ x: 'x'.repeat(bytes) })

/** Whole requests for what no rule can make: what works, and the problems that are an endpoint's own. */
async function scenes({
  ctx,
  post,
  request,
}: TestServer): Promise<Record<string, [path: string, body?: unknown, headers?: Record<string, string>][]>> {
  const tenant = await tenantId(ctx)
  const make = () => addWebhook(ctx, tenant, 'https://example.com/', { kind: 'standard', secret: 'whsec_AAAA' })
  const [webhook, doomed] = [await make(), await make()]
  await cross(ctx)
  const [delivery] = await deliveries(ctx)
  const key = (await post('/api/keys', { name: 'k', scopes: ['read'] })).body.id
  const price = (await post('/api/prices', { model: 'doomed', input: 1, output: 1 })).body.prices[0].id
  await post('/api/tenants', { name: 'doomed' })
  const full = await tenantId(ctx, 'initech-llc')
  for (let i = 0; i < 100; i++) await addWebhook(ctx, full, 'https://example.com/')
  const event = { tenant: 'acme-corp', feature: 'x', tokens: 1 }
  await post('/api/events', { ...event, model: 'gpt-4o', cost: 1 })
  const [quota, twin] = await Promise.all(
    [10, 11].map(async (tokenLimit) => {
      const { body } = await post('/api/quotas', { tenant: 'acme-corp', feature: 'y', period: 'day', tokenLimit })
      return body.id as string
    }),
  )
  const perUser = { tenant: 'acme-corp', per: 'user', period: 'day', costLimit: 5 }
  const each = (await post('/api/quotas', perUser)).body.id as string
  await request('PUT', `/api/quotas/${each}/users/doomed`, { costLimit: 1 })
  const reservation = (await post('/api/reservations', event, { 'idempotency-key': 'taken' })).body.id
  const old = writeReservationId({ tenantId: tenant, id: NOBODY, feature: 'x', createdAt: 0 })
  const poisoned = writeReservationId({ tenantId: tenant, id: NOBODY, feature: 'poison', createdAt: Date.now() })
  await ctx.database`alter table events add check (feature <> 'poison')`
  return {
    'POST /api/events': [
      ['', event],
      ['', [event, event]],
      ['', [event, {}]],
      ['', { ...event, tenant: 'nobody' }],
      ['', { ...event, timestamp: '2020-01-01T00:00:00Z' }],
      ['', { ...event, id: 'once' }],
      ['', { ...event, id: 'once', tokens: 2 }],
    ],
    'POST /api/check': [
      ['', event],
      ['', { ...event, tenant: 'nobody' }],
    ],
    'POST /api/reservations': [
      ['', event],
      ['', { ...event, tenant: 'nobody' }],
      ['', { ...event, feature: 'y', tokens: 11 }],
      ['', { ...event, tokens: 2 }, { 'idempotency-key': 'taken' }],
    ],
    'POST /api/reservations/{reservation}/settle': [
      [`/api/reservations/${reservation}/settle`, { tokens: 1 }],
      [`/api/reservations/${reservation}/settle`, { tokens: 2 }],
      [`/api/reservations/${NOBODY}/settle`, { tokens: 1 }],
      [`/api/reservations/${old}/settle`, { tokens: 1 }],
      [`/api/reservations/${poisoned}/settle`, { tokens: 1 }],
    ],
    'POST /api/reservations/{reservation}/release': [[`/api/reservations/${reservation}/release`]],
    'GET /api/quotas': [[''], ['/api/quotas?tenant=nobody']],
    'GET /api/quotas/{quota}': [[`/api/quotas/${quota}`]],
    'POST /api/quotas': [
      ['', { tenant: 'acme-corp', period: 'week', tokenLimit: 10 }],
      ['', { tenant: 'nobody', period: 'week', tokenLimit: 10 }],
      ['', { tenant: 'acme-corp', feature: 'y', period: 'day', tokenLimit: 10 }],
    ],
    'PATCH /api/quotas/{quota}': [
      [`/api/quotas/${quota}`, { hard: false }],
      [`/api/quotas/${twin}`, { tokenLimit: 10, hard: false }],
      [`/api/quotas/${NOBODY}`, { hard: false }],
    ],
    'GET /api/quotas/{quota}/users': [[`/api/quotas/${each}/users`]],
    'PUT /api/quotas/{quota}/users/{user}': [
      [`/api/quotas/${each}/users/u-17`, { costLimit: 25 }],
      [`/api/quotas/${NOBODY}/users/u-17`, { costLimit: 25 }],
    ],
    'DELETE /api/quotas/{quota}/users/{user}': [
      [`/api/quotas/${each}/users/doomed`],
      [`/api/quotas/${each}/users/${'x'.repeat(201)}`],
      [`/api/quotas/${each}/users/nobody`],
    ],
    'DELETE /api/quotas/{quota}': [
      [`/api/quotas/${(await post('/api/quotas', { tenant: 'acme-corp', period: 'hour', tokenLimit: 10 })).body.id}`],
    ],
    'GET /api/prices': [[''], ['/api/prices?model=gpt-4o']],
    'POST /api/prices': [['', { model: 'm', input: 1, output: 1 }]],
    'DELETE /api/prices/{price}': [[`/api/prices/${price}`]],
    'POST /api/reprice': [
      ['', { from: '2020-01-01T00:00:00Z', to: '2030-01-01T00:00:00Z' }],
      ['', { from: '2020-01-01T00:00:00Z', to: '2030-01-01T00:00:00Z', tenant: 'nobody' }],
    ],
    'GET /api/usage/{tenant}': [
      ['/api/usage/acme-corp'],
      ['/api/usage/acme-corp?by=model'],
      ['/api/usage/acme-corp?user=u-17'],
    ],
    'GET /api/usage/{tenant}/series': [
      ['/api/usage/acme-corp/series'],
      ['/api/usage/acme-corp/series?by=feature'],
      ['/api/usage/acme-corp/series?by=model&metric=cost'],
      ['/api/usage/acme-corp/series?by=pool'],
      ['/api/usage/acme-corp/series?step=minute&from=2020-01-01T00:00:00Z'],
      ['/api/usage/nobody/series'],
    ],
    'GET /api/trends': [['/api/trends?tenants=acme-corp,nobody']],
    'GET /api/tenants/{tenant}': [['/api/tenants/acme-corp']],
    'POST /api/tenants': [
      ['', { name: 'new' }],
      ['', { name: 'acme-corp' }],
    ],
    'PATCH /api/tenants/{tenant}': [
      ['/api/tenants/acme-corp', { thresholds: [50] }],
      ['/api/tenants/acme-corp', { name: 'globex-inc' }],
      ['/api/tenants/nobody', { billingDay: 2 }],
    ],
    'DELETE /api/tenants/{tenant}': [['/api/tenants/doomed']],
    'DELETE /api/tenants/{tenant}/users/{user}': [
      ['/api/tenants/acme-corp/users/u'],
      [`/api/tenants/acme-corp/users/${'x'.repeat(201)}`],
      ['/api/tenants/nobody/users/u'],
    ],
    'POST /api/webhooks': [
      ['', { tenant: 'acme-corp', kind: 'standard', url: 'https://example.com/' }],
      ['', { tenant: 'nobody', kind: 'slack', url: 'https://example.com/' }],
      ['', { tenant: 'initech-llc', kind: 'slack', url: 'https://example.com/' }],
    ],
    'GET /api/webhooks': [[''], ['/api/webhooks?tenant=nobody']],
    'GET /api/webhooks/{webhook}': [[`/api/webhooks/${webhook}`]],
    'PATCH /api/webhooks/{webhook}': [
      [`/api/webhooks/${webhook}`, { enabled: true }],
      [`/api/webhooks/${NOBODY}`, { enabled: true }],
    ],
    'DELETE /api/webhooks/{webhook}': [[`/api/webhooks/${doomed}`]],
    'POST /api/webhooks/{webhook}/rotate': [[`/api/webhooks/${webhook}/rotate`]],
    'POST /api/webhooks/{webhook}/test': [[`/api/webhooks/${webhook}/test`]],
    'GET /api/alerts': [[''], ['/api/alerts?tenant=nobody']],
    'GET /api/deliveries': [[''], ['/api/deliveries?tenant=nobody']],
    'GET /api/deliveries/{delivery}': [[`/api/deliveries/${delivery!.id}`]],
    'POST /api/deliveries/retry': [
      ['', {}],
      ['', { tenant: 'nobody' }],
    ],
    'POST /api/keys': [
      ['', { name: 'k', scopes: ['read'] }],
      ['', { name: 'k', scopes: ['read'], tenant: 'nobody' }],
    ],
    'GET /api/keys': [[''], ['/api/keys?tenant=nobody']],
    'DELETE /api/keys/{key}': [[`/api/keys/${key}`]],
  }
}

test('the description is valid, and every JSON body has an example that fits its schema', async () => {
  const { get } = await createTestServer()
  const { body: document } = await get('/api/openapi.json', { authorization: '' })
  expect(await new Validator().validate(document)).toMatchObject({ valid: true })
  const validate = openValidator(document)
  for (const { method, path, operation } of routesOf(document)) {
    for (const part of [operation.requestBody, ...Object.values<any>(operation.responses)]) {
      for (const { schema, example, examples } of Object.values<any>(part?.content ?? {})) {
        const values = example === undefined ? Object.values<any>(examples ?? {}).map(({ value }) => value) : [example]
        expect([method, path, schema, values.length > 0]).toEqual([method, path, schema, true])
        for (const value of values)
          expect([method, path, value, validate(schema, value)]).toEqual([method, path, value, null])
      }
    }
  }
})

test('operations are named by a verb and an object, and every answer says what happened', async () => {
  const { get } = await createTestServer()
  const { body: document } = await get('/api/openapi.json', { authorization: '' })
  const routes = routesOf(document)
  const ids = routes.map(({ operation }) => operation.operationId)
  expect(ids.filter((id) => !/^(?!get[A-Z]\w*Api|post|put|patch)[a-z]+[A-Z]\w+$/.test(id))).toEqual([])
  expect(new Set(ids).size).toBe(ids.length)
  const tags = document.tags.map(({ name }: { name: string }) => name)
  for (const { operation } of routes) {
    expect(tags).toContain(operation.tags[0])
    const said = Object.entries<any>(operation.responses).map(([status, { description }]) => [status, description])
    expect(said.filter(([, description]) => !/^[A-Z`].*[.)]$/.test(description ?? ''))).toEqual([])
  }
})

test('documents are named, and answers leave room for new fields', async () => {
  const { get } = await createTestServer()
  const text = (await get('/api/openapi.json', { authorization: '' })).body
  const { schemas } = text.components
  expect(Object.keys(schemas)).toEqual(expect.arrayContaining([...DOCUMENTS, ...INPUTS]))
  for (const name of INPUTS) expect([name, schemas[name].additionalProperties]).toEqual([name, false])
  for (const name of DOCUMENTS) expect([name, schemas[name].additionalProperties ?? true]).not.toEqual([name, false])
  const inlined = routesOf(text).flatMap(({ operation }) =>
    Object.entries<any>(operation.responses)
      .filter(([, { content }]) => content?.['application/json']?.schema.properties)
      .map(([status]) => `${operation.operationId} ${status}`),
  )
  expect(inlined).toEqual(['getDescription 200'])
  expect(JSON.stringify(text)).not.toMatch(/\(\?:\\\\d/) // a date as a pattern
})

const DOCUMENTS = (
  'Alert ApiKey AuditEntry BatchResult Delivery Health NewApiKey Problem Quota QuotaCheck QuotaUsage Reservation ' +
  'Session Tenant Usage UsageSeries UsageSummary Webhook'
).split(' ')
const INPUTS = (
  'ApiKeyInput Event QuotaChanges QuotaCheckInput QuotaInput ReservationInput Settlement TenantChanges TenantInput ' +
  'WebhookChanges WebhookInput'
).split(' ')

test('the running server produces every documented answer, and no undocumented one', async () => {
  const server = await createTestServer({ LIMIT_REQUESTS: '0' })
  const { ctx } = server
  const document = (await server.get('/api/openapi.json')).body
  const routes = routesOf(document)
  const validate = openValidator(closed(document))
  const produced = new Set<string>()

  function expectDocumented({ method, path, operation }: Route, { status, body, headers }: TestAnswer): void {
    const about = [method, path, status]
    const documented = operation.responses[status]
    expect([...about, body, documented !== undefined]).toEqual([...about, body, true])
    if (status === 204) return void produced.add(about.join(' '))
    const type = headers.get('content-type')!.split(';')[0]!
    expect([...about, Object.keys(documented.content)]).toEqual([...about, [type]])
    expect([...about, validate(closed(documented.content[type].schema), body)]).toEqual([...about, null])
    produced.add(about.join(' '))
  }

  const weak = Object.fromEntries(
    await Promise.all(
      (['ingest', 'read'] as const).map(async (scope) => [
        scope,
        (await createKey(ctx.database, 'test', { name: 'k', scopes: [scope] })).key,
      ]),
    ),
  )
  const proxy = await createProxy(server.databaseUrl)
  const cut = await createTestServer({ DATABASE_URL: proxy.url })
  proxy.set('closed')
  const limited = await createTestServer({ DATABASE_URL: server.databaseUrl, LIMIT_REQUESTS: '1' })
  const own = await scenes(server)

  for (const route of routes) {
    const { method, path, operation } = route
    const isOpen = operation.security?.length === 0
    const good = path.replaceAll(/{(\w+)}/g, (_, name: string) => (name === 'tenant' ? 'acme-corp' : NOBODY))
    const at = (url: string, on: TestServer, body: unknown, headers?: Record<string, string>) =>
      on.request(method, url, body, headers)
    const body = operation.requestBody ? {} : undefined
    const cases = [
      ...(own[`${method} ${path}`] ?? [['']]).map(([url, given, headers]) => at(url || path, server, given, headers)),
      // The rules that hold for all.
      at(`${good.replace('acme-corp', '%00')}?nothing=1`, server, body),
      at(good.replace('acme-corp', 'nobody').replace('{', ''), server, body),
    ]
    cases.push(at(good, server, body, { 'x-large': 'x'.repeat(20_000) }))
    if (!isOpen) {
      cases.push(at(good, server, body, { authorization: '' }))
      cases.push(at(good, server, body, bearer(operation.description.includes('ingest') ? weak.read! : weak.ingest!)))
      cases.push(at(good, cut, body))
    }
    if (body) {
      cases.push(at(good, server, body, { 'content-type': 'text/plain' }))
      const raw = { method, headers: { ...AUTHORIZATION, 'content-type': 'application/json' } }
      cases.push(toAnswer(await fetch(server.url + good, { ...raw, body: '{' })))
      cases.push(toAnswer(await fetch(server.url + good, { ...raw, body: big(9 * 1024 * 1024) })))
    }
    for (const answer of await Promise.all(cases)) if (answer.status !== 405) expectDocumented(route, answer)
    if (!isOpen)
      for (let i = 0, status = 0; i < 15 && status !== 429; i++) {
        const answer = await at(good.replace('acme-corp', 'nobody'), limited, body)
        status = answer.status
        expectDocumented(route, answer)
      }
  }
  // Health says 503 when no store answers; here none does.
  expectDocumented(
    routes.find(({ path }) => path === '/api/health')!,
    await cut.get('/api/health'),
  )

  const documented = routes.flatMap(({ method, path, operation }) =>
    Object.keys(operation.responses).map((status) => `${method} ${path} ${status}`),
  )
  expect(documented.filter((answer) => !produced.has(answer))).toEqual([])
})

const routesOf = (document: any): Route[] =>
  Object.entries<any>(document.paths).flatMap(([path, methods]) =>
    Object.entries<any>(methods).map(([method, { responses, ...operation }]) => ({
      method: method.toUpperCase(),
      path,
      operation: {
        ...operation,
        responses: Object.fromEntries(
          Object.entries<any>(responses).map(([status, response]) => [status, resolve(document, response)]),
        ),
      },
    })),
  )

/** What a `$ref` leads to. */
const resolve = (document: any, { $ref, ...value }: any): any =>
  $ref === undefined
    ? value
    : $ref
        .split('/')
        .slice(1)
        .reduce((part: any, name: string) => part[name], document)

/** What is wrong with a value, by a schema that may refer to the document's; null: nothing. */
function openValidator(document: object): (schema: any, value: unknown) => unknown {
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'document', ...document })
  return (schema, value) => {
    const moved = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"document#/'))
    return ajv.validate(moved, value) ? null : ajv.errors
  }
}

/** The same without room for fields that are not documented: clients allow them, we do not send them. */
function closed(schema: any): any {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const parts = Object.fromEntries(Object.entries(schema).map(([name, part]) => [name, closed(part)]))
  return 'properties' in schema && schema.type === 'object' ? { additionalProperties: false, ...parts } : parts
}

async function toAnswer(answer: Response): Promise<TestAnswer> {
  return { status: answer.status, body: await answer.json(), headers: answer.headers }
}
