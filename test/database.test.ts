import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase, query } from '../lib/database.ts'
import { createDatabase } from './_context.ts'
import { HOSTILE_TEXTS } from './_texts.ts'

async function open(statementTimeoutMs?: number) {
  const database = openDatabase({ databaseUrl: await createDatabase(), databasePoolSize: 1 }, statementTimeoutMs)
  onTestFinished(() => database.end({ timeout: 0 }))
  return database
}

test('arrays of every type we use arrive as they were, whatever their elements hold', async () => {
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

test('what fails while a connection is made reaches who asked, and no process ends of it', async () => {
  const unheard: unknown[] = []
  const note = (error: unknown) => unheard.push(error)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  // Whatever the driver asks by itself on a new connection can't be done in a millisecond.
  await expect(query(await open(1), 'select pg_sleep(1)')).rejects.toMatchObject({ code: '57014' })
  await sleep(50)
  expect(unheard).toEqual([])
})
