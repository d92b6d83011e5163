import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { change, query } from '../lib/store/database.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { isNotMigrated, isTooSlow, isUnavailable } from '../lib/store/outage.ts'
import { createDatabase } from './_context.ts'
import { createProxy } from './_proxy.ts'
import { HOSTILE_TEXTS } from './_texts.ts'
import { startTlsPostgres } from './_tls.ts'
import { atMost } from './_counts.ts'

async function open(statementTimeoutMs?: number, databaseUrl?: string, databasePoolSize = 1) {
  const config = { databaseUrl: databaseUrl ?? (await createDatabase()), databasePoolSize }
  const database = openDatabase(config, statementTimeoutMs)
  onTestFinished(() => database.end({ timeout: 0 }))
  return database
}

/** How connections may be, and what makes a database that has them. */
const WAYS = [
  { way: 'in the clear', make: createDatabase },
  { way: 'over TLS', make: async () => `${await startTlsPostgres()}?sslmode=require` },
]

test('arrays of every type we use arrive unchanged, whatever their elements contain', async () => {
  const database = await open()
  const texts = [...HOSTILE_TEXTS, '', null]
  const uuids = ['0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b']
  const numbers = [-1, 0, 2 ** 52]
  const times = ['2025-11-21T10:15:00.123Z']
  const sql = `select $1::text[] as texts, $2::uuid[] as uuids, $3::bigint[] as numbers, $4::int[] as ints,
                      to_json($5::timestamptz[]) as times, $6::text[] as none, $7::int[] as missing`
  const args = [texts, uuids, numbers, [3], times, [], null]
  expect(await query(database, sql, args)).toEqual([
    { texts, uuids, numbers, ints: [3], times: ['2025-11-21T10:15:00.123+00:00'], none: [], missing: null },
  ])
})

test('a failure while connecting reaches the caller, and does not end the process', async () => {
  const unheard: unknown[] = []
  const note = (error: unknown) => unheard.push(error)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  // The driver's own queries on a new connection can't finish within a millisecond.
  await expect(query(await open(1), 'select pg_sleep(1)')).rejects.toMatchObject({ code: '57014' })
  await sleep(50)
  expect(unheard).toEqual([])
})

test('an abandoned statement does not hand its answer to the next', async () => {
  const database = await open()
  const texts = ['select 1 as one', 'select 2 as two', 'select pg_sleep(1.5)']
  for (const text of texts) await query(database, text) // once prepared, they are pipelined
  const slow = query(database, texts[2]!)
  const late = query(database, texts[0]!, [], 100).catch((error: Error) => error.message)
  await sleep(200)
  const next = query(database, texts[1]!)
  expect([await late, await next]).toEqual(['the database did not answer in time', [{ two: 2 }]])
  await slow
})

test('a truncated answer does not corrupt the next', async () => {
  const database = await open()
  const cut = query(
    database,
    `select repeat('x', 1000), case when i = 100 then pg_terminate_backend(pg_backend_pid()) end
     from generate_series(1, 200) i`,
  )
  await expect(cut).rejects.toSatisfy(isUnavailable)
  const ask = () => query(database, 'select $1::int as own', [7])
  // The driver may tell the next statement, too, that the connection was lost.
  expect(await ask().catch(ask)).toEqual([{ own: 7 }])
})

test.each(WAYS)(
  '$way, a statement sent as a connection breaks is answered, and does not block those behind it',
  async ({ make }) => {
    const proxy = await createProxy(await make())
    const database = await open(undefined, proxy.url)
    await query(database, 'select 0 as zero')
    const slow = query(database, 'select pg_sleep(30)')
    // Before the driver learns that the connection is closed.
    const next = slow.catch(() => query(database, 'select 1 as one'))
    await sleep(500)
    const at = performance.now()
    proxy.reset()
    expect(await next).toEqual([{ one: 1 }])
    expect(performance.now() - at).toBeLessThan(3_000)
    expect(await query(database, 'select 2 as two')).toEqual([{ two: 2 }])
  },
)

test.each(WAYS)(
  '$way, connections cut during a write are soon usable again, and never mix up answers',
  async ({ make }) => {
    const url = await make()
    const [database, killer] = [await open(undefined, url, 4), await open(undefined, url)]
    let isOver = false
    let [slowest, fine, asked] = [0, 0, 0]
    const asking = Array.from({ length: 8 }, async () => {
      while (!isOver) {
        await new Promise((resolve) => void setImmediate(resolve)) // as a group begins
        const at = performance.now()
        const own = asked++
        const [text, args] = own % 2 ? ['select $1::int as own', [own]] : [`select ${own} as own`, []]
        const answer = await query(database, text, args).catch((error: unknown) => {
          expect(isUnavailable(error)).toBe(true)
        })
        if (answer) {
          expect(answer).toEqual([{ own }])
          fine++
        }
        slowest = Math.max(slowest, performance.now() - at)
      }
    })
    for (let kills = 0; kills < 150; kills++) {
      await sleep(10)
      await query(
        killer,
        'select pg_terminate_backend(pid) from pg_stat_activity ' +
          'where pid <> pg_backend_pid() and datname = current_database() limit 1',
      )
    }
    isOver = true
    await Promise.all(asking)
    expect(slowest).toBeLessThan(3_500) // the driver waits 5 s for a silent connection
    expect(fine).toBeGreaterThan(50)
  },
)

test.each(WAYS)(
  '$way, a transaction whose connection is cut fails without ending the process or losing the connection',
  async ({ make }) => {
    const uncaught: unknown[] = []
    const note = (error: unknown) => uncaught.push(error)
    process.on('uncaughtException', note)
    onTestFinished(() => void process.off('uncaughtException', note))
    const url = await make()
    const [database, killer] = [await open(undefined, url, 4), await open(undefined, url)]
    const actorIs = (i: number) =>
      change<{ actor: string }>(
        database,
        `actor-${i}`,
        "select pg_sleep(0.02), current_setting('flagmeter.actor', true) as actor",
      ).then(
        ([row]) => row!.actor === `actor-${i}`,
        (error: unknown) => isUnavailable(error),
      )
    for (let round = 0; round < 10; round++) {
      const changes = Array.from({ length: 16 }, (_, i) => actorIs(i))
      await sleep(10)
      await query(
        killer,
        `select pg_terminate_backend(pid) from pg_stat_activity
       where pid <> pg_backend_pid() and datname = current_database() and state <> 'idle' limit 2`,
      )
      expect(await Promise.all(changes)).toEqual(changes.map(() => true))
    }
    expect(uncaught).toEqual([])
    const at = performance.now()
    expect(await Promise.all(Array.from({ length: 16 }, (_, i) => actorIs(i)))).toEqual(Array(16).fill(true))
    expect(performance.now() - at).toBeLessThan(atMost(2_000))
  },
)

test('an abandoned change is not made later', async () => {
  const database = await open(400)
  await database`create table made (by text)`
  const holding = database.unsafe('set statement_timeout = 0; select pg_sleep(2.5)').execute()
  const given = await change(database, 'me', "insert into made values ('me')").catch((error: Error) => error.message)
  expect(given).toBe('the database did not answer in time')
  await holding
  await sleep(100)
  expect(await database`select from made`).toHaveLength(0)
})

test("only errors of the server's state and of the network count as an outage", () => {
  const outages = [
    '08006',
    '28000',
    '28P01',
    '53100',
    '53300',
    '57P01',
    '57P03',
    '25006',
    '58030',
    '55P03',
    '40P01',
    'ECONNREFUSED',
    'ECONNRESET',
  ]
  outages.push('EPIPE', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN', 'CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'ANSWER_TIMEOUT')
  // Mistakes in functions and statements, missing files, slow statements.
  const mistakes = ['42883', '42P01', '42703', '42601', '22003', '23503', '57014', '58P01', 'P0001', 'XX000', 'ENOENT']
  mistakes.push('EACCES', 'ERR_INVALID_ARG_TYPE', 'UNSAFE_TRANSACTION', 'CONNECTOR', '')
  const are = (codes: string[], is: (error: unknown) => boolean) =>
    codes.filter((code) => is(Object.assign(new Error('x'), { code })))
  expect(are([...outages, ...mistakes], isUnavailable)).toEqual(outages)
  expect([isUnavailable(new TypeError('x')), isUnavailable({})]).toEqual([false, false])
  expect(are([...outages, ...mistakes], isTooSlow)).toEqual(['57014'])
})

test('a missing table means not migrated, unless one of our functions misses it', async () => {
  const database = await open()
  const missing = await query(database, 'select from no_such_table').catch((error: unknown) => error)
  await database.unsafe(
    'create function trip() returns void language plpgsql as $$ begin perform from no_such_table; end $$',
  )
  const mistake = await query(database, 'select trip()').catch((error: unknown) => error)
  expect([isNotMigrated(missing), isNotMigrated(mistake), isUnavailable(missing)]).toEqual([true, false, false])
})

test('waiting for a lock held by others is an outage; a slow statement is not', async () => {
  const url = await createDatabase()
  const [database, other] = [await open(1_000, url), await open(undefined, url)]
  await other`create table held (id int)`
  let release = () => {}
  const released = new Promise<void>((resolve) => (release = resolve))
  let locked = () => {}
  const isLocked = new Promise<void>((resolve) => (locked = resolve))
  const holding = other.begin(async (sql) => {
    await sql`lock table held`
    locked()
    await released
  })
  await isLocked
  const [waited, slow] = [
    await query(database, 'select from held').catch((error: unknown) => error),
    await query(database, 'select pg_sleep(5)').catch((error: unknown) => error),
  ]
  release()
  await holding
  expect([isUnavailable(waited), isUnavailable(slow), isTooSlow(slow)]).toEqual([true, false, true])
})
