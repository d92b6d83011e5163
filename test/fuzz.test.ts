import { connect } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadHandlers } from '../cli/_handlers.ts'
import { endpointsOf } from '../cli/_serving.ts'
import { ProblemDocument } from '../lib/problem.ts'
import { startCli } from './_cli.ts'
import { createContext, createTestServer, until } from './_context.ts'
import { KEY } from './_key.ts'
import { type Random, createRandom } from './_random.ts'
import { freePort } from './_valkey.ts'

const endpoints = endpointsOf(await loadHandlers([])).map(({ handler }) => handler)

test('whatever JSON comes, every endpoint that takes some answers with success or a problem', async () => {
  const { request, ctx } = await createTestServer({ LIMIT_REQUESTS: '0', LIMIT_EVENTS: '0' })
  const event = fc.record(
    {
      tenant: fc.oneof(fc.constantFrom('acme-corp', 'globex-inc'), fc.string({ unit: 'binary' })),
      feature: fc.oneof(fc.string({ unit: 'binary' }), fc.constant('x')),
      tokens: fc.oneof(fc.integer(), fc.double(), fc.maxSafeInteger()),
      id: fc.oneof(fc.string({ unit: 'binary' }), fc.uuid()),
      timestamp: fc.oneof(
        fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
        fc.string(),
      ),
    },
    { requiredKeys: [] },
  )
  for (const { method, path, body } of endpoints) {
    if (!body) continue
    const url = path.replaceAll(/:\w+/g, 'acme-corp')
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), event, fc.array(event, { maxLength: 20 })), async (value) => {
        const answer = await request(method, url, value)
        if (answer.status < 300) return
        expect([answer.status < 500, answer.headers.get('content-type')]).toEqual([true, 'application/problem+json'])
        expect(ProblemDocument.parse(answer.body).status).toBe(answer.status)
      }),
      { numRuns: 300 },
    )
  }
  // Whatever was taken is counted, and counted right.
  const [row] = await ctx.database`
    select (select coalesce(sum(tokens), 0) from events)::float8 as events, (select coalesce(sum(total_tokens), 0) from usage_periods)::float8 as counted`
  expect(row!.counted).toBe(row!.events)
})

const REQUESTS = 100_000
const SOCKETS = 64
const TIMEOUT_MS = 500

test(`${REQUESTS} bad requests over real sockets: no 5xx, no crash, no hang, every answer a valid problem`, async () => {
  const random = createRandom()
  const ctx = await createContext()
  const port = await freePort()
  const server = startCli(['serve'], {
    DATABASE_URL: ctx.databaseUrl,
    PORT: String(port),
    LIMIT_REQUESTS: '0',
    LIMIT_EVENTS: '0',
    REQUEST_TIMEOUT_MS: String(TIMEOUT_MS),
    LOG_LEVEL: 'error',
  })
  const isUp = async () => (await fetch(`http://127.0.0.1:${port}/api/health`).catch(() => undefined))?.status === 200
  await until(isUp, 30_000)
  const statuses = new Map<number, number>()
  let sent = 0
  async function run(): Promise<void> {
    while (sent < REQUESTS) {
      sent++
      const bytes = badRequest(random)
      const about = `seed ${random.seed}, request ${sent}: ${bytes.subarray(0, 600).toString('latin1')}`
      for (const { status, headers, body } of answersIn(await exchange(port, bytes, about))) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status >= 500) throw new Error(`${status}: ${body}\n${about}`)
        if (status < 400 || body === '') continue // by chance it was good, or HEAD
        if (!/application\/problem\+json/.test(headers)) throw new Error(`no problem: ${headers}\n${about}`)
        const problem = ProblemDocument.safeParse(JSON.parse(body))
        if (problem.data?.status !== status) throw new Error(`not a valid problem: ${body}\n${about}`)
      }
    }
  }
  await Promise.all(Array.from({ length: SOCKETS }, run))
  expect(await isUp()).toBe(true)
  expect([server.child.exitCode, server.output()]).toEqual([null, ''])
  // It was not all the same kind of bad.
  for (const status of [400, 401, 404, 405, 408, 413, 415, 422, 431])
    expect([status, statuses.get(status) ?? 0]).toEqual([status, expect.any(Number)])
  for (const status of [400, 401, 404, 405, 415]) expect([status, statuses.get(status)! > 100]).toEqual([status, true])
}, 600_000)

/** Sends bytes and reads until the server closes. A server that keeps a broken request open hangs, and that is an error. */
function exchange(port: number, bytes: Buffer, about: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    const timer = setTimeout(
      () => {
        socket.destroy()
        reject(new Error(`no end after ten times the time-out\n${about}`))
      },
      TIMEOUT_MS * 10 + 10_000,
    )
    // A request whose `connection: close` was spoilt keeps the connection open, rightly: then it is us who leave.
    socket.once('data', () => setTimeout(() => socket.end(), 300).unref())
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => {}) // reset: the server had enough; what it said before counts
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(Buffer.concat(chunks).toString('latin1'))
    })
    socket.write(bytes)
  })
}

interface RawAnswer {
  status: number
  headers: string
  body: string
}

function answersIn(text: string): RawAnswer[] {
  const answers: RawAnswer[] = []
  for (let rest = text; rest.startsWith('HTTP/1.1 ');) {
    const end = rest.indexOf('\r\n\r\n')
    const headers = rest.slice(0, end).toLowerCase()
    const declared = Number(/\r\ncontent-length: (\d+)/.exec(headers)?.[1] ?? 0)
    const length = rest.startsWith('HTTP/1.1 ', end + 4) ? 0 : declared // the answer to HEAD has no body
    const body = rest.slice(end + 4, end + 4 + length)
    const status = Number(headers.slice(9, 12))
    if (status !== 100) answers.push({ status, headers, body: body.length < length ? '' : body })
    rest = rest.slice(end + 4 + length)
  }
  return answers
}

const TEXTS = [
  '',
  'x',
  '%',
  '%00',
  '%zz',
  '%c3%28',
  '..',
  '../../etc/passwd',
  "'; drop table events;--",
  '{{7*7}}',
  '😀',
  '\u0000',
  'a'.repeat(300),
]
const VALUES = [
  '1',
  '0',
  '-1',
  '1e999',
  '9007199254740993',
  'null',
  'true',
  '"x"',
  '[]',
  '{}',
  '{"__proto__":{"x":1}}',
  '"\\ud800"',
  '"\\u0000"',
  'NaN',
  '',
]

function badRequest(random: Random): Buffer {
  const { below, pick } = random
  const endpoint = pick(endpoints)
  const method = pick([
    endpoint.method,
    endpoint.method,
    endpoint.method,
    'POST',
    'GET',
    'DELETE',
    'PUT',
    'HEAD',
    'OPTIONS',
    'TRACE',
    'post',
    'FOO',
    'G@T',
  ])
  let path = endpoint.path.replaceAll(/:\w+/g, () => (below(2) ? 'acme-corp' : encodeOrNot(random, pick(TEXTS))))
  if (below(4) === 0)
    path += pick([
      '?',
      '?limit=x',
      '?after=%00',
      '?x=1',
      '?tenant=nobody',
      '?a&b&c',
      `?${'q=1&'.repeat(50)}`,
      '/',
      '//',
      '/%2e%2e/',
      '#x',
    ])
  if (below(20) === 0)
    path = pick([
      '*',
      '/',
      '//evil.example/',
      'http://evil.example/api/events',
      '/api',
      '/API/EVENTS',
      `/${'a/'.repeat(200)}`,
      ' /x',
      '/\t',
    ])
  const authorization = below(8)
    ? `Bearer ${KEY}`
    : pick(['', 'Bearer', 'Bearer x', `Basic ${KEY}`, `Bearer ${KEY}x`, `bearer  ${KEY}`, 'Bearer \u00e9'])
  const type = below(4)
    ? 'application/json'
    : pick([
        'application/x-ndjson',
        'text/plain',
        '',
        'application/json; charset=utf-16',
        'multipart/form-data',
        'APPLICATION/JSON',
        ';;;',
      ])
  const body = badBody(random)
  const fields = [`host: x`, 'connection: close']
  if (authorization) fields.push(`authorization: ${authorization}`)
  if (type) fields.push(`content-type: ${type}`)
  if (below(20) === 0)
    fields.push(
      pick([
        'content-encoding: gzip',
        'expect: 100-continue',
        'expect: x',
        'idempotency-key: \u0001',
        `idempotency-key: ${'k'.repeat(300)}`,
        'x-request-id: a b',
        `x-long: ${'h'.repeat(20_000)}`,
        'bad header',
        ': x',
        'upgrade: websocket',
        'x-forwarded-for: ,,,',
        'content-type: text/plain',
      ]),
    )
  // How the body is framed, mostly right: what is cut short waits for its time-out, so it must be rare.
  const framing = below(200)
  let framed = body
  if (framing === 0) fields.push(`content-length: ${body.length + 5}`)
  else if (framing < 6)
    fields.push(
      pick([
        'content-length: -1',
        'content-length: x',
        'content-length: 1, 2',
        'transfer-encoding: x',
        'transfer-encoding: chunked, chunked',
        `content-length: ${body.length}\r\ncontent-length: 1`,
      ]),
    )
  else if (framing < 12) {
    fields.push('transfer-encoding: chunked', ...(below(2) ? [`content-length: ${body.length}`] : []))
    framed = Buffer.from(
      pick([
        '0\r\n\r\n',
        'zz\r\n',
        '-1\r\n',
        'ffffffffffffffff\r\nx',
        '3\r\n{}x\r\n0\r\n\r\n',
        '1;ext=1\r\n{\r\n0\r\n\r\n',
      ]),
    )
  } else if (framing < 40) {
    fields.push('transfer-encoding: chunked')
    framed = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
    if (body.length === 0) framed = Buffer.from('0\r\n\r\n')
  } else fields.push(`content-length: ${body.length}`)
  const version = below(100) === 0 ? pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9', 'http/1.1', '']) : 'HTTP/1.1'
  const head = Buffer.from(
    `${method} ${path} ${version}\r\n${fields.join('\r\n')}\r\n\r\n`,
    below(2) ? 'utf8' : 'latin1',
  )
  const bytes = Buffer.concat([head, framed])
  if (below(100) === 0) bytes[below(Math.min(bytes.length, 200))] = below(256) // a flipped byte, somewhere in the head
  return bytes
}

const encodeOrNot = ({ below }: Random, text: string): string => (below(2) ? encodeURIComponent(text) : text)

function badBody(random: Random): Buffer {
  const { below, pick } = random
  const fields = ['tenant', 'feature', 'tokens', 'id', 'timestamp', 'name', 'url', 'kind', 'scopes', 'thresholds', 'x']
  const object = () => `{${Array.from({ length: below(5) }, () => `"${pick(fields)}":${pick(VALUES)}`).join(',')}}`
  switch (below(12)) {
    case 0:
      return Buffer.from(pick(VALUES))
    case 1:
      return Buffer.from(pick(['[', '{"a":', '"', '[1,]', '{a:1}', "{'a':1}", '\ufeff{}', '[]]', 'undefined']))
    case 2:
      return Buffer.from('['.repeat(1 + below(20_000)) + (below(2) ? '' : ']'.repeat(5)))
    case 3:
      return Buffer.from([0xff, 0xfe, 0x7b, 0x7d, below(256), below(256)])
    case 4:
      return Buffer.from(
        `{"tenant":"acme-corp","feature":"x","tokens":1,"timestamp":${pick(['"2020-01-01T00:00:00Z"', '"9999-12-31T23:59:59Z"', '"x"', '0'])}}`,
      )
    case 5:
      return Buffer.from(`[${Array.from({ length: below(30) }, object).join(',')}]`)
    case 6:
      return below(50) === 0 ? Buffer.alloc(70_000 + below(9_000_000), 'x') : Buffer.from(`${object()}\n${object()}`)
    case 7:
      return Buffer.alloc(0)
    default:
      return Buffer.from(object())
  }
}
