import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type SentEvent, answer, fakeServer, load, loadJson, problem } from './_load.ts'
import { atMost, count } from './_counts.ts'

test('a stalled server does not slow the arrivals, and every request that waited shows the stall', async () => {
  let stalledUntil = 0
  const server = await fakeServer(async (n) => {
    if (n === 50) stalledUntil = performance.now() + 500
    await sleep(Math.max(0, stalledUntil - performance.now()))
    return false
  })
  const { figures } = await loadJson(['--url', server.url, '--rps', '200', '--duration', '1s'])
  expect(figures).toMatchObject({ sent: 200, accepted: 200, refused: 0, dropped: 0 })
  const during = server.received.filter(({ at }) => at > stalledUntil - 450 && at < stalledUntil - 50)
  expect(during.length).toBeGreaterThan(count(10, 40)) // 80 on an idle machine
  expect(figures.latencyMs.p99).toBeGreaterThan(400)
  // Half of the requests during the stall waited for more than half of it: not one slow answer, but a quarter of all.
  expect(figures.latencyMs.p95).toBeGreaterThan(300)
  expect(figures.latencyMs.p50).toBeLessThan(atMost(300))
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

test('refusals are counted by code, in a batch event by event', async () => {
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

test('--json prints one document with every figure; the report has them for people', async () => {
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

test('exceeding --max-p99 or --max-errors exits with 1 and one line that says which', async () => {
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

test('a run without an accepted event exits with 1 and the reason', async () => {
  const server = await fakeServer((_, response) => answer(response, 401, problem(401, 'unauthorized')))
  const run = await loadJson(['--url', server.url, '--rps', '50', '--duration', '100ms', '--max-errors', '100%'])
  expect(run.figures).toMatchObject({ accepted: 0, refused: 5 })
  expect(run.error).toMatchObject({ code: 1, message: 'no event was accepted (unauthorized, about unauthorized)' })
})

test('an unreachable server is one line and exit 3', async () => {
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
  expect(performance.now() - startedAt).toBeLessThan(atMost(6_000))
  expect(error).toMatchObject({ code: 130, message: 'interrupted' })
  expect(figures.accepted).toBe(5)
  expect(figures.refusedBy.unanswered).toBe(figures.sent - 5)
})
