import { once } from 'node:events'
import { type AddressInfo, type Socket, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { type HttpHandler, handler, json } from '../lib/http/endpoint.ts'
import { closeHttpServer, createHttpServer } from '../lib/http/server.ts'
import { KEY } from './_key.ts'
import { createContext, createTestServer, until } from './_context.ts'
import { atMost } from './_counts.ts'

/** Opens a socket, sends the text, and collects everything until the server closes the connection. */
async function converse(url: string, text: string, then?: (socket: Socket) => void): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  socket.write(text)
  then?.(socket)
  let answer = ''
  socket.on('data', (data) => (answer += data))
  await once(socket, 'close')
  return answer
}

const head = (fields: string) =>
  `POST /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\n` +
  `content-type: application/json\r\n${fields}\r\n\r\n`
const body = JSON.stringify({ tenant: 'acme-corp', feature: 'x', tokens: 1 })

test('a client that sends one byte a second gets 408 and is cut off; others are served meanwhile', async () => {
  const server = await createTestServer({ REQUEST_TIMEOUT_MS: '1500' })
  let drip: NodeJS.Timeout | undefined
  const slow = converse(server.url, head(`content-length: ${body.length}`), (socket) => {
    let sent = 0
    drip = setInterval(() => socket.write(body[sent++] ?? ''), 200)
  })
  expect((await server.post('/api/events', body)).status).toBe(201)
  const answer = await slow
  clearInterval(drip)
  expect(answer).toMatch(/^HTTP\/1.1 408 .*application\/problem\+json.*"code":"request_timeout"/s)
  const [row] = await server.ctx.database`select count(*)::int as n from events`
  expect(row!.n).toBe(1)
})

test('a request with a false Content-Length gets a 4xx and stores nothing', async () => {
  const server = await createTestServer({ REQUEST_TIMEOUT_MS: '500' })
  const count = async () => (await server.ctx.database`select count(*)::int as n from events`)[0]!.n
  expect(await converse(server.url, head(`content-length: ${body.length + 10}`) + body)).toMatch(/^HTTP\/1.1 408/)
  expect(await converse(server.url, head(`content-length: ${body.length - 5}`) + body)).toMatch(
    /^HTTP\/1.1 400 .*(invalid_json|malformed_http)/s,
  )
  expect(await converse(server.url, head('content-length: -1') + body)).toMatch(/^HTTP\/1.1 400 .*malformed_http/s)
  expect(await converse(server.url, head('content-length: 10000000000'))).toMatch(/^HTTP\/1.1 413 .*body_too_large/s)
  await converse(server.url, head('content-length: 900') + body, (socket) => socket.end())
  expect(await count()).toBe(0)
  expect((await server.get('/api/health/live')).status).toBe(200)
})

test('a chunked body over the limit is cut off with 413', async () => {
  const server = await createTestServer()
  const chunk = `100000\r\n${' '.repeat(0x100000)}\r\n`
  const answer = await converse(server.url, head('transfer-encoding: chunked'), (socket) => {
    for (let i = 0; i < 10; i++) socket.write(chunk)
  })
  expect(answer).toMatch(/^HTTP\/1.1 413 .*body_too_large/s)
})

test('100 Continue is sent only when the body is wanted', async () => {
  const server = await createTestServer()
  const expecting = `expect: 100-continue\r\nconnection: close\r\ncontent-length: ${body.length}`
  const refused = await converse(server.url, head(expecting).replace(KEY, 'nobody'))
  expect(refused).toMatch(/^HTTP\/1.1 401 /)
  const tooLong = await converse(server.url, head('expect: 100-continue\r\ncontent-length: 9000000'))
  expect(tooLong).toMatch(/^HTTP\/1.1 413 /)
  const taken = await converse(server.url, head(expecting), (socket) => socket.once('data', () => socket.write(body)))
  expect(taken).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 201 /)
})

test('a client refused while it sends gets its answer, and cannot keep sending forever', async () => {
  const server = await createTestServer()
  const large = await fetch(`${server.url}/api/events`, {
    method: 'POST',
    headers: { authorization: 'Bearer nobody', 'content-type': 'application/json' },
    body: Buffer.alloc(4_000_000, ' '),
  })
  expect([large.status, large.headers.get('connection')]).toEqual([401, 'close'])
  let timer: NodeJS.Timeout | undefined
  const at = performance.now()
  const endless = await converse(server.url, head('transfer-encoding: chunked').replace(KEY, 'nobody'), (socket) => {
    timer = setInterval(() => socket.write('1\r\nx\r\n'), 20)
  })
  clearInterval(timer)
  expect(endless).toMatch(/^HTTP\/1.1 401 /)
  expect(performance.now() - at).toBeLessThan(atMost(5_000))
})

test('pipelined requests are answered in order; too many of them close the connection', async () => {
  const server = await createTestServer()
  const ask = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nhost: x\r\n${fields}\r\n`
  const inTurn = await converse(
    server.url,
    ask('/api/health') + ask('/api/nothing') + ask('/api/health/live', 'connection: close\r\n'),
  )
  expect(inTurn.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200'])
  const many = await converse(server.url, ask('/api/health').repeat(1_000))
  expect(many.match(/HTTP\/1.1 200/g)?.length ?? 0).toBeLessThan(1_000)
})

test('bytes that are not HTTP and oversized headers get a problem document too', async () => {
  const server = await createTestServer()
  expect(await converse(server.url, 'hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400 .*malformed_http/s)
  expect(await converse(server.url, head(`x-large: ${'x'.repeat(20_000)}`))).toMatch(
    /^HTTP\/1.1 431 .*headers_too_large/s,
  )
})

test('an unknown path is 404, a wrong method 405 with the allowed ones, HEAD is GET without a body', async () => {
  const server = await createTestServer()
  expect((await server.get('/api/nothing')).body).toMatchObject({ status: 404, code: 'not_found' })
  expect((await server.get('/api/usage/%zz')).status).toBe(404)
  const answer = await server.get('/api/events')
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST'])
  const headOnly = await fetch(`${server.url}/api/health`, { method: 'HEAD' })
  expect([headOnly.status, await headOnly.text()]).toEqual([200, ''])
})

test("the caller's request id is returned, unless it could forge a log line", async () => {
  const server = await createTestServer()
  const ask = async (id: string) =>
    (await server.post('/api/events', body, { 'x-request-id': id })).headers.get('x-request-id')
  expect(await ask('trace-7')).toBe('trace-7')
  const [one, other] = [await ask('a b'), await ask('a b')]
  expect(one).toMatch(/^[0-9a-f]{16}-\d+$/)
  expect(other).not.toBe(one)
})

async function serve(endpoint: HttpHandler) {
  const ctx = await createContext()
  const server = createHttpServer(ctx, [endpoint])
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.closeAllConnections())
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test('a handler that throws gives a 500 that reveals nothing internal', async () => {
  const broken = handler({
    method: 'GET',
    path: '/broken',
    auth: 'none',
    summary: '',
    answers: {},
    query: z.object({}),
    handle: () => {
      throw new Error('secret of postgres://u:p@h')
    },
  })
  const { url } = await serve(broken)
  const answer = await fetch(`${url}/broken`)
  expect(answer.status).toBe(500)
  expect(await answer.text()).not.toContain('secret')
})

test('a stopping server finishes requests in progress and takes no new ones', async () => {
  let finish = () => {}
  const begun = new Promise<void>((started) => {
    slow.handle = async () => {
      started()
      await new Promise<void>((resolve) => (finish = resolve))
      return json(200, { done: true })
    }
  })
  const { server, url } = await serve(slow)
  const answer = fetch(`${url}/slow`)
  await begun
  const closed = closeHttpServer(server, 5_000)
  await expect(fetch(`${url}/slow`)).rejects.toThrow()
  finish()
  const { status, headers } = await answer
  expect([status, headers.get('connection')]).toEqual([200, 'close'])
  await closed
})
const slow: HttpHandler = handler({
  method: 'GET',
  path: '/slow',
  auth: 'none',
  summary: '',
  answers: {},
  handle: () => json(200, {}),
})

test('metrics are labelled by route, never by tenant', async () => {
  const server = await createTestServer()
  await server.post('/api/events', body)
  await server.get('/api/usage/acme-corp')
  const { body: metrics, headers } = await server.get('/metrics')
  expect(headers.get('content-type')).toMatch(/^text\/plain/)
  expect(metrics).toContain(
    'http_request_duration_seconds_count{method="GET",route="/api/usage/:tenant",status="200"} 1',
  )
  expect(metrics).toContain('flagmeter_events_accepted_total{path="direct"} 1')
  expect(metrics).not.toContain('acme-corp')
})

test('connections beyond MAX_CONNECTIONS are closed; the others are unaffected', async () => {
  const server = await createTestServer({ MAX_CONNECTIONS: '5' })
  const port = Number(new URL(server.url).port)
  const sockets = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => {}))
  onTestFinished(() => sockets.forEach((socket) => void socket.destroy()))
  const closed = () => sockets.filter((socket) => socket.destroyed || socket.readableEnded).length
  sockets.forEach((socket) => void socket.resume())
  await until(() => closed() === 3)
  const open = sockets.find((socket) => !socket.readableEnded && !socket.destroyed)!
  open.write('GET /api/health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  const [data] = (await once(open, 'data')) as [Buffer]
  expect(data.toString()).toMatch(/^HTTP\/1.1 200/)
})
