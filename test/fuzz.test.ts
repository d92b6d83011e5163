import { connect } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadHandlers } from '../cli/_handlers.ts'
import { endpointsOf } from '../cli/_serving.ts'
import { ProblemDocument } from '../lib/problem.ts'
import { startCli } from './_cli.ts'
import { createContext, createTestServer, until } from './_context.ts'
import { count } from './_counts.ts'
import { badRequest } from './_bad_request.ts'
import { createRandom } from './_random.ts'
import { freePort } from './_valkey.ts'

const endpoints = endpointsOf(await loadHandlers([])).map(({ handler }) => handler)

test('every endpoint answers any JSON with success or a problem document', async () => {
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
      { numRuns: count(40, 300) },
    )
  }
  // All accepted events are counted, and counted correctly.
  const [row] = await ctx.database`
    select (select coalesce(sum(tokens), 0) from events)::float8 as events, (select coalesce(sum(total_tokens), 0)
      from usage_periods)::float8 as counted`
  expect(row!.counted).toBe(row!.events)
})

const REQUESTS = count(3_000, 100_000)
const SOCKETS = 64
const TIMEOUT_MS = 500

test(`${REQUESTS} bad requests over real sockets: no 5xx, crash or hang, every answer a valid problem`, async () => {
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
  await until(isUp)
  const statuses = new Map<number, number>()
  let sent = 0
  async function run(): Promise<void> {
    while (sent < REQUESTS) {
      sent++
      const bytes = badRequest(random, endpoints)
      const about = `seed ${random.seed}, request ${sent}: ${bytes.subarray(0, 600).toString('latin1')}`
      for (const { status, headers, body } of answersIn(await exchange(port, bytes, about))) {
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status >= 500) throw new Error(`${status}: ${body}\n${about}`)
        if (status < 400 || body === '') continue // it happened to be valid, or was HEAD
        if (!/application\/problem\+json/.test(headers)) throw new Error(`no problem: ${headers}\n${about}`)
        const problem = ProblemDocument.safeParse(JSON.parse(body))
        if (problem.data?.status !== status) throw new Error(`not a valid problem: ${body}\n${about}`)
      }
    }
  }
  await Promise.all(Array.from({ length: SOCKETS }, run))
  expect(await isUp()).toBe(true)
  expect([server.child.exitCode, server.output()]).toEqual([null, ''])
  // The mistakes were of different kinds.
  for (const status of [400, 401, 404, 405, 408, 413, 415, 422, 431])
    expect([status, statuses.get(status) ?? 0]).toEqual([status, expect.any(Number)])
  for (const status of [400, 401, 404, 405, 415])
    expect([status, statuses.get(status)! > REQUESTS / 1_000]).toEqual([status, true])
}, 600_000)

/** Sends bytes and reads until the server closes. A server that keeps a broken request open is an error. */
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
    // A request whose `connection: close` was corrupted rightly keeps the connection open: then we close it.
    socket.once('data', () => setTimeout(() => socket.end(), 300).unref())
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => {}) // reset: the server gave up; its answer before that counts
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
