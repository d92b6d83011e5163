import { Writable } from 'node:stream'
import { pino } from 'pino'
import { expect, inject, test } from 'vitest'
import { createTestServer, startConsumers, until } from './_context.ts'

test("one request id appears in the answer, the API's log and the worker's log", async () => {
  const lines: any[] = []
  const sink = new Writable({ write: (chunk: Buffer, _, done) => (lines.push(JSON.parse(chunk.toString())), done()) })
  const { ctx, post } = await createTestServer(
    { VALKEY_URL: inject('valkeyUrl') },
    { log: pino({ level: 'debug' }, sink) },
  )
  await startConsumers(ctx, ['rollup'])
  const event = { tenant: 'acme-corp', feature: 'x', tokens: 1 }
  const given = await post('/api/events', event, { 'x-request-id': 'billing-4711' })
  const made = await post('/api/events', event)
  expect(given.headers.get('x-request-id')).toBe('billing-4711')
  for (const requestId of ['billing-4711', made.headers.get('x-request-id')!]) {
    const found = (message: string) =>
      lines.filter(
        (line) => line.msg === message && `${line.requestId ?? line.requestIds}`.split(',').includes(requestId),
      )
    await until(() => found('recorded').length === 1)
    expect(found('request')).toHaveLength(1)
  }
})

test('dead letters name the requests that brought them', async () => {
  const lines: any[] = []
  const sink = new Writable({ write: (chunk: Buffer, _, done) => (lines.push(JSON.parse(chunk.toString())), done()) })
  const { ctx, post, request } = await createTestServer(
    { VALKEY_URL: inject('valkeyUrl') },
    { log: pino({ level: 'error' }, sink) },
  )
  await post('/api/events', { tenant: 'acme-corp', feature: 'x', tokens: 1 }, { 'x-request-id': 'too-late' })
  await post('/api/events', { tenant: 'globex-inc', feature: 'x', tokens: 1 }, { 'x-request-id': 'fine' })
  expect((await request('DELETE', '/api/tenants/acme-corp')).status).toBe(200)
  await startConsumers(ctx, ['rollup'])
  await until(() => lines.some(({ msg }) => msg === 'events became dead letters'))
  expect(lines.find(({ msg }) => msg === 'events became dead letters').requestIds).toEqual(['too-late'])
})
