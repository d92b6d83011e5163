import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { CommandError, Terminal } from '../cli/_command.ts'
import { pauseMs, shiftOf } from '../cli/_load_replay.ts'
import { parseTime } from '../cli/_load_trace.ts'
import { loadCommand } from '../cli/load.ts'

const AZURE = join(import.meta.dirname, '../../shared/traces/azure-llm-2023-conv.csv')

interface SentEvent {
  tenant: string
  feature: string
  tokens: number
  id: string
  timestamp?: string
}
interface Received {
  at: number
  events: SentEvent[]
  authorization: string | undefined
}
type Behaviour = (n: number, response: ServerResponse, request: IncomingMessage) => boolean | Promise<boolean>

/** A server that accepts every event and remembers it, unless `behave` answers request `n` (from 0) itself. */
async function fakeServer(behave: Behaviour = () => false) {
  const received: Received[] = []
  const server = createServer((request, response) => void serve(request, response))
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request) body += chunk
    if (request.method === 'GET') return void response.end('{}')
    const parsed = JSON.parse(body) as SentEvent | SentEvent[]
    const events = Array.isArray(parsed) ? parsed : [parsed]
    const n = received.push({ at: performance.now(), events, authorization: request.headers.authorization }) - 1
    if (!(await behave(n, response, request))) answer(response, 201, { success: true })
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const events = () => received.flatMap((request) => request.events)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received, events }
}

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): true {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  return true
}
const problem = (status: number, code: string) => ({
  type: `urn:flagmeter:problem:${code}`,
  title: code,
  status,
  code,
  detail: `about ${code}`,
})

/** Runs the command; what it printed, and the error it ended with. */
async function load(args: string[], env: Record<string, string> = {}, stop = new AbortController().signal) {
  const printed = { out: '', err: '' }
  const stream = (name: 'out' | 'err') =>
    new Writable({
      write(chunk, _, done) {
        printed[name] += chunk
        done()
      },
    }) as unknown as NodeJS.WriteStream
  const terminal: Terminal = { env, out: stream('out'), err: stream('err'), stop }
  const command = loadCommand(terminal)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  const error = await command.parseAsync(args, { from: 'user' }).then(
    () => undefined,
    (cause: CommandError) => cause,
  )
  return { ...printed, error }
}

/** The same with `--json`, which must have printed one document. */
async function loadJson(args: string[], stop?: AbortSignal) {
  const run = await load([...args, '--json'], {}, stop)
  return { ...run, figures: JSON.parse(run.out) }
}

function writeTrace(text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'load-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'trace.csv'), text)
  return join(dir, 'trace.csv')
}

/** Tokens per minute, in the order of time. */
function minuteSums(calls: [time: string, tokens: number][]): number[] {
  const sums = new Map<string, number>()
  for (const [time, tokens] of calls) sums.set(time.slice(0, 16), (sums.get(time.slice(0, 16)) ?? 0) + tokens)
  return [...sums].sort(([a], [b]) => a.localeCompare(b)).map(([, sum]) => sum)
}

const SMALL = `TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:17:01.0000000,10,5`

test('a server that stalls does not slow the arrivals, and all that waited feel the stall', async () => {
  let stalledUntil = 0
  const server = await fakeServer(async (n) => {
    if (n === 50) stalledUntil = performance.now() + 500
    await sleep(Math.max(0, stalledUntil - performance.now()))
    return false
  })
  const { figures } = await loadJson(['--url', server.url, '--rps', '200', '--duration', '1s'])
  expect(figures).toMatchObject({ sent: 200, accepted: 200, refused: 0, dropped: 0 })
  const during = server.received.filter(({ at }) => at > stalledUntil - 450 && at < stalledUntil - 50)
  expect(during.length).toBeGreaterThan(40) // 80 on an idle machine
  expect(figures.latencyMs.p99).toBeGreaterThan(400)
  // Half of the requests that fell into the stall waited for more than half of it: not one slow answer, but a quarter of all.
  expect(figures.latencyMs.p95).toBeGreaterThan(300)
  expect(figures.latencyMs.p50).toBeLessThan(300)
})

test('waiting for a connection counts as latency', async () => {
  const server = await fakeServer(async () => {
    await sleep(300)
    return false
  })
  // 256 connections and 300 ms carry 850 requests/s; the rest waits.
  const { figures } = await loadJson(['--url', server.url, '--rps', '2000', '--duration', '500ms'])
  expect(figures).toMatchObject({ sent: 1000, accepted: 1000 })
  expect(figures.latencyMs.p99).toBeGreaterThan(600)
})

test('the same seed sends the same events with the same ids, another seed others', async () => {
  const runs: SentEvent[][] = []
  for (const [seed, batch] of [
    ['7', '1'],
    ['7', '5'],
    ['8', '1'],
  ] as const) {
    const server = await fakeServer()
    const requests = String(100 / Number(batch))
    await load([
      '--url',
      server.url,
      '--rps',
      requests,
      '--duration',
      '1s',
      '--seed',
      seed,
      '--batch',
      batch,
      '--tenants',
      '3',
      '--tokens',
      '5-9',
    ])
    runs.push(server.events().sort((a, b) => a.id.localeCompare(b.id)))
  }
  const [first, batched, other] = runs as [SentEvent[], SentEvent[], SentEvent[]]
  expect(first).toHaveLength(100)
  expect(new Set(first.map(({ id }) => id)).size).toBe(100)
  expect(batched).toEqual(first)
  expect(other.filter(({ id }) => first.some((event) => event.id === id))).toEqual([])
  expect(new Set(first.map(({ tenant }) => tenant))).toEqual(new Set(['tenant-1', 'tenant-2', 'tenant-3']))
  expect(new Set(first.map(({ tokens }) => tokens))).toEqual(new Set([5, 6, 7, 8, 9]))
  for (const { id } of first) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('refusals are counted by their codes, in a batch event by event', async () => {
  const server = await fakeServer((n, response) => {
    const results = [{ eventId: 'x' }, { problem: problem(404, 'tenant_not_found') }]
    if (n === 0) return answer(response, 207, { success: false, accepted: 1, rejected: 1, results })
    if (n === 1) return answer(response, 503, problem(503, 'unavailable'))
    if (n === 2) return response.writeHead(502).end('<html>') && true
    if (n === 3) return response.socket!.destroy() && true
    return false
  })
  const { figures, error } = await loadJson(['--url', server.url, '--rps', '50', '--duration', '100ms', '--batch', '2'])
  expect(error).toBeUndefined()
  expect(figures).toMatchObject({ requests: 5, sent: 10, accepted: 3, refused: 7, retries: 0 })
  expect(figures.refusedBy).toEqual({ tenant_not_found: 1, unavailable: 2, http_502: 2, connection_lost: 2 })
})

test('--json is one document with every figure; the report has them for people', async () => {
  const server = await fakeServer()
  const args = ['--url', server.url, '--rps', '50', '--duration', '0.2']
  const { figures, err } = await loadJson(args)
  expect(err).toBe('')
  expect(figures).toMatchObject({
    url: server.url,
    mode: 'synthetic',
    rps: 50,
    durationSeconds: 0.2,
    batch: 1,
    requests: 10,
    sent: 10,
  })
  expect(figures.seed).toBeTypeOf('number')
  expect(figures.eventsPerSecond).toBeGreaterThan(10)
  expect(figures.acceptedTokens).toBe(server.events().reduce((sum, { tokens }) => sum + tokens, 0))
  const { p50, p95, p99, p999, max } = figures.latencyMs
  expect([p50, p95, p99, p999, max]).toEqual([p50, p95, p99, p999, max].sort((a, b) => a - b))
  expect(p50).toBeGreaterThan(0)
  const { out } = await load(args)
  for (const label of ['sent', 'accepted', 'refused', 'throughput', 'P50', 'P95', 'P99', 'P99.9', 'max'])
    expect(out).toMatch(new RegExp(`^  ${label} +[\\d.,]+  `, 'm'))
  expect(out).toMatch(/seed \d+/)
})

test('passing --max-p99 or --max-errors is exit 1, with one line that says which', async () => {
  const slow = await fakeServer(async () => {
    await sleep(60)
    return false
  })
  const args = ['--rps', '50', '--duration', '200ms', '--url']
  expect((await load([...args, slow.url, '--max-p99', '5000', '--max-errors', '0'])).error).toBeUndefined()
  expect((await load([...args, slow.url, '--max-p99', '50'])).error).toMatchObject({
    code: 1,
    message: expect.stringMatching(/^P99 was [\d.]+ ms, over --max-p99 50$/),
  })
  const half = await fakeServer((n, response) => n % 2 === 0 && answer(response, 429, problem(429, 'slow_down')))
  expect((await load([...args, half.url, '--max-errors', '5'])).error).toBeUndefined()
  expect((await load([...args, half.url, '--max-errors', '50%'])).error).toBeUndefined()
  expect((await load([...args, half.url, '--max-errors', '4'])).error).toMatchObject({
    code: 1,
    message: expect.stringContaining('over --max-errors 4'),
  })
  const { error } = await load([...args, half.url, '--max-errors', '49.9%'])
  expect(error?.message).toBe('5 of 10 events (50%) were refused or dropped, over --max-errors 49.9%')
})

test('a server that is not there is one line and exit 3', async () => {
  const { error } = await load(['--url', 'http://127.0.0.1:1'])
  expect(error).toMatchObject({
    code: 3,
    message: expect.stringMatching(/^no FlagMeter answers at http:\/\/127.0.0.1:1 \(ECONNREFUSED\)/),
  })
})

test('a stopped run reports what it did and exits 130, even when the server is stuck', async () => {
  const server = await fakeServer((n) => (n < 5 ? false : new Promise<boolean>(() => {})))
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 400)
  const startedAt = performance.now()
  const { figures, error } = await loadJson(['--url', server.url, '--rps', '50', '--duration', '1m'], stop.signal)
  expect(performance.now() - startedAt).toBeLessThan(6000)
  expect(error).toMatchObject({ code: 130, message: 'interrupted' })
  expect(figures.accepted).toBe(5)
  expect(figures.refusedBy.unanswered).toBe(figures.sent - 5)
})

test('a replay keeps tokens and minutes, ends now, and repeats itself with the same ids', async () => {
  const server = await fakeServer()
  const file = writeTrace(
    `\uFEFFextra,"GeneratedTokens",TIMESTAMP,ContextTokens\r\n"a,b",5,2024-05-10T00:01:30.5Z,1\r\nc,0,2024-05-10 00:00:00.009930+00:00,7\r\nd,0,2024-05-10 00:00:10,0\r\n\r\ne,"2",2024-05-10 02:01:29.999999+02:00,3`,
  )
  const { figures, error } = await loadJson(['--url', server.url, '--trace', file, '--tenant', 't', '--feature', 'f'])
  expect(error).toBeUndefined()
  expect(figures).toMatchObject({
    mode: 'trace',
    speed: 'max',
    seed: 1,
    sent: 3,
    accepted: 3,
    acceptedTokens: 18,
    requests: 1,
  })
  expect(figures.trace).toMatchObject({
    calls: 4,
    empty: 1,
    tokens: 18,
    firstCall: '2024-05-10T00:00:00.009Z',
    lastCall: '2024-05-10T00:01:30.500Z',
  })
  const first = server.events()
  const ago = Date.now() - Date.parse(first[0]!.timestamp!)
  expect(ago).toBeGreaterThanOrEqual(0)
  expect(ago).toBeLessThan(65_000)
  expect(first.map(({ tokens }) => tokens)).toEqual([6, 7, 5])
  const shift = Date.parse(first[0]!.timestamp!) - Date.parse('2024-05-10T00:01:30.500Z')
  expect(shift % 60_000).toBe(0)
  expect(first.map(({ timestamp }) => new Date(Date.parse(timestamp!) - shift).toISOString().slice(14))).toEqual([
    '01:30.500Z',
    '00:00.009Z',
    '01:29.999Z',
  ])
  await load([
    '--url',
    server.url,
    '--trace',
    file,
    '--tenant',
    't',
    '--feature',
    'f',
    '--batch',
    '1',
    '--speed',
    '1000',
  ])
  expect(
    server
      .events()
      .slice(3)
      .map(({ id }) => id),
  ).toEqual(first.map(({ id }) => id))
  await load(['--url', server.url, '--trace', file, '--tenant', 't', '--feature', 'g'])
  expect(new Set(server.events().map(({ id }) => id)).size).toBe(6)
})

test('a replay at a factor keeps the recorded distances', async () => {
  const server = await fakeServer()
  const { figures } = await loadJson(['--url', server.url, '--trace', writeTrace(SMALL), '--speed', '60'])
  expect(figures).toMatchObject({ sent: 3, accepted: 3, requests: 3 })
  const [a, b, c] = server.received.map(({ at }) => at) as [number, number, number]
  expect(b - a).toBeGreaterThan(50) // 4.3 s / 60
  expect(c - b).toBeGreaterThan(1100) // 70 s / 60
  expect(c - a).toBeLessThan(2000)
})

test('a replay sends again, with the same ids, what was refused for the moment or never answered', async () => {
  const server = await fakeServer((n, response) => {
    if (n === 0) return answer(response, 503, problem(503, 'unavailable'), { 'retry-after': '1' })
    if (n === 1) return response.socket!.destroy() && true
    const results = [
      { eventId: 'x' },
      { problem: problem(404, 'tenant_not_found') },
      { problem: problem(503, 'unavailable') },
    ]
    return n === 2 && answer(response, 207, { success: false, accepted: 1, rejected: 2, results })
  })
  const { figures, error } = await loadJson(['--url', server.url, '--trace', writeTrace(SMALL)])
  expect(figures).toMatchObject({
    sent: 3,
    requests: 1,
    accepted: 2,
    refused: 1,
    retries: 3,
    refusedBy: { tenant_not_found: 1 },
  })
  expect(error).toMatchObject({ code: 1, message: 'events not accepted: 1; the same command again is safe' })
  const [first, second, third, last] = server.received as [Received, Received, Received, Received]
  expect(second.at - first.at).toBeGreaterThan(990)
  expect([second.events, third.events]).toEqual([first.events, first.events])
  expect(last.events).toEqual(first.events.slice(2))
})

test('a pause honours Retry-After, and grows without one', () => {
  expect(pauseMs(1, '3')).toBeGreaterThanOrEqual(3000)
  expect(pauseMs(1, new Date(Date.now() + 10_000).toUTCString())).toBeGreaterThan(8000)
  expect(pauseMs(1, 'nonsense')).toBeLessThanOrEqual(200)
  expect(pauseMs(9, undefined)).toBeGreaterThanOrEqual(2500)
  expect(pauseMs(9, undefined)).toBeLessThanOrEqual(5000)
})

test.for([
  [
    'TIMESTAMP,ContextTokens\n2023-11-16 18:15:46,1',
    /line 1, has no column GeneratedTokens; it has TIMESTAMP, ContextTokens/,
  ],
  ['', /has no calls/],
  ['TIMESTAMP,ContextTokens,GeneratedTokens\n', /has no calls/],
  [`${SMALL}\n\nyesterday,1,2`, /line 6, TIMESTAMP must be a UTC time like .*, not 'yesterday'/],
  [`${SMALL}\n2023-02-30 00:00:00,1,2`, /line 5, TIMESTAMP/],
  [`${SMALL}\n2023-11-16 18:15:46,-1,2`, /line 5, ContextTokens must be a whole number .*, not '-1'/],
  [`${SMALL}\n2023-11-16 18:15:46,1,1.5`, /line 5, GeneratedTokens must be a whole number/],
  [`${SMALL}\n2023-11-16 18:15:46,1000000000,1`, /line 5, GeneratedTokens must bring at most/],
  [`${SMALL}\n2023-11-16 18:15:46,1`, /line 5, GeneratedTokens is missing/],
  [`${SMALL}\n"2023-11-16 18:15:46,1,2`, /trace.csv: Quote Not Closed.*line 5/],
] as const)('a trace with a mistake sends nothing and names the place: %#', async ([text, message]) => {
  const server = await fakeServer()
  const { error } = await load(['--url', server.url, '--trace', writeTrace(text)])
  expect(error?.message).toMatch(message)
  expect(error?.message).not.toContain('\n')
  expect(server.received).toEqual([])
})

test('a trace that is not there, or is no file, is wrong usage; so are options that do not go with it', async () => {
  expect((await load(['--trace', '/nowhere.csv'])).error).toMatchObject({
    code: 2,
    message: 'there is no file /nowhere.csv',
  })
  expect((await load(['--trace', tmpdir()])).error).toMatchObject({ code: 2 })
  expect((await load(['--trace', 'x.csv', '--rps', '5'])).error?.message).toMatch(/--trace.*--rps/)
})

test('times of every form are read as UTC; times that do not exist are not', () => {
  const at = Date.UTC(2024, 4, 10, 0, 0, 0, 9)
  for (const text of [
    '2024-05-10 00:00:00.009930+00:00',
    '2024-05-10T00:00:00.009Z',
    ' 2024-05-10 00:00:00.0099300 ',
    '2024-05-10T02:00:00.009+0200',
    '2024-05-09 18:30:00.009-05:30',
  ]) {
    expect([text, parseTime(text)]).toEqual([text, at])
  }
  for (const text of [
    '',
    '2024-05-10',
    '2024-13-10 00:00:00',
    '2023-02-29 00:00:00',
    '2024-05-10 24:00:00',
    '2024-05-10 00:60:00',
    '1715299200',
  ]) {
    expect([text, parseTime(text)]).toEqual([text, undefined])
  }
})

test('the shift is whole minutes, and the last call at most a minute ago', () => {
  const now = Date.UTC(2025, 0, 1, 12, 0, 30)
  for (const last of [now, now - 1, now - 59_999, now - 60_000, now + 1, Date.UTC(2023, 10, 16, 19, 14, 8, 402)]) {
    const shift = shiftOf(last, now)
    expect(Math.abs(shift % 60_000)).toBe(0)
    expect(now - (last + shift)).toBeGreaterThanOrEqual(0)
    expect(now - (last + shift)).toBeLessThan(60_000)
  }
})

test.skipIf(!existsSync(AZURE))(
  'the public Azure trace replays as 19,366 events, 26,450,535 tokens in 60 minutes',
  async () => {
    const server = await fakeServer()
    const { figures, error } = await loadJson(['--url', server.url, '--trace', AZURE])
    expect(error).toBeUndefined()
    expect(figures).toMatchObject({ sent: 19_366, accepted: 19_366, acceptedTokens: 26_450_535, requests: 20 })
    const events = server.events()
    const rows = readFileSync(AZURE, 'utf8')
      .trim()
      .split(/\r?\n/)
      .slice(1)
      .map((line) => line.split(','))
    const inFile = minuteSums(rows.map(([time, context, generated]) => [time!, Number(context) + Number(generated)]))
    const sent = minuteSums(events.map(({ timestamp, tokens }) => [timestamp!, tokens]))
    expect(sent).toHaveLength(60)
    expect(sent).toEqual(inFile)
    expect(events.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(26_450_535)
    expect(new Set(events.map(({ id }) => id)).size).toBe(19_366)
  },
)
