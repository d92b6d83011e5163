import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { pauseMs, shiftOf } from '../cli/load/replay.ts'
import { parseTime } from '../cli/load/trace.ts'
import { answer, fakeServer, load, loadJson, problem, type Received } from './_load.ts'
import { count } from './_counts.ts'
import { emptyFolder } from './_folder.ts'

const AZURE = join(import.meta.dirname, '../../shared/traces/azure-llm-2023-conv.csv')

async function writeTrace(text: string): Promise<string> {
  const file = join(await emptyFolder(), 'trace.csv')
  await writeFile(file, text)
  return file
}

/** Tokens per minute, in chronological order. */
function minuteSums(calls: [time: string, tokens: number][]): number[] {
  const sums = new Map<string, number>()
  for (const [time, tokens] of calls) sums.set(time.slice(0, 16), (sums.get(time.slice(0, 16)) ?? 0) + tokens)
  return [...sums].sort(([a], [b]) => a.localeCompare(b)).map(([, sum]) => sum)
}

const SMALL = `TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:17:01.0000000,10,5`

test('a replay keeps tokens and minutes, ends now, and repeats itself with the same ids', async () => {
  const server = await fakeServer()
  const file = await writeTrace(
    '\uFEFFextra,"GeneratedTokens",TIMESTAMP,ContextTokens\r\n' +
      '"a,b",5,2024-05-10T00:01:30.5Z,1\r\n' +
      'c,0,2024-05-10 00:00:00.009930+00:00,7\r\n' +
      'd,0,2024-05-10 00:00:10,0\r\n\r\n' +
      'e,"2",2024-05-10 02:01:29.999999+02:00,3',
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

test('a replay at a factor keeps the recorded intervals', async () => {
  const server = await fakeServer()
  const { figures } = await loadJson(['--url', server.url, '--trace', await writeTrace(SMALL), '--speed', '60'])
  expect(figures).toMatchObject({ sent: 3, accepted: 3, requests: 3 })
  const [a, b, c] = server.received.map(({ at }) => at) as [number, number, number]
  expect(b - a).toBeGreaterThan(count(20, 50)) // 4.3 s / 60, less what the first was late
  expect(c - b).toBeGreaterThan(count(600, 1_100)) // 70 s / 60, less what the second was late
  expect(c - a).toBeLessThan(count(30_000, 2_000)) // as recorded: 74 s
})

test('a replay resends, with the same ids, what was refused temporarily or never answered', async () => {
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
  const { figures, error } = await loadJson(['--url', server.url, '--trace', await writeTrace(SMALL)])
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
  const { error } = await load(['--url', server.url, '--trace', await writeTrace(text)])
  expect(error?.message).toMatch(message)
  expect(error?.message).not.toContain('\n')
  expect(server.received).toEqual([])
})

test('a trace that does not exist or is not a file is wrong usage; so are options that conflict with it', async () => {
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
