import { readFile, readdir, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { describe, expect, test } from 'vitest'
import { backupName } from '../cli/_backup_folder.ts'
import { openDatabase } from '../lib/store/database.ts'
import { migrate } from '../lib/store/migrate.ts'
import { runCli, startCli } from './_cli.ts'
import { createContext, createTestServer, until } from './_context.ts'
import { emptyFolder } from './_folder.ts'
import { freePort } from './_valkey.ts'
import { canDump, startDumpableServer } from './_postgres_tools.ts'

/** A migrated database on a server that can be dumped, and how to make an empty one beside it. */
async function start() {
  const url = await startDumpableServer()
  const database = openDatabase({ databaseUrl: url, databasePoolSize: 1 })
  await migrate(database)
  await database.end()
  const createEmpty = async (name: string) => {
    const admin = postgres(url, { max: 1 })
    await admin.unsafe(`create database ${name}`)
    await admin.end()
    return url.replace(/\/\w+$/, `/${name}`)
  }
  return { url, createEmpty }
}

describe.skipIf(!canDump)('backup and restore (need pg_dump on the PATH, and a server no newer than it)', () => {
  test('a backup taken under load, restored into an empty database, passes verify and knows every event', async () => {
    const { url, createEmpty } = await start()
    const { post, ctx } = await createTestServer({ DATABASE_URL: url })
    const events = (batch: number) =>
      Array.from({ length: 200 }, (_, i) => ({
        tenant: i % 2 ? 'acme-corp' : 'globex-inc',
        feature: `f${i % 7}`,
        tokens: 1 + i,
        id: `${batch}-${i}`,
      }))
    for (let batch = 0; batch < 10; batch++) await post('/api/events', events(batch))
    let stopped = false
    const load = (async () => {
      for (let batch = 10; !stopped; batch++) await post('/api/events', events(batch))
    })()
    const file = join(await emptyFolder(), 'one.dump')
    const backup = await runCli(['backup', file], { DATABASE_URL: url })
    stopped = true
    await load
    expect([backup.code, backup.err]).toEqual([0, ''])
    expect(backup.out).toMatch(/one\.dump: 0\.\d MB\n$/)
    expect((await stat(file)).mode & 0o777).toBe(0o600)

    const empty = { DATABASE_URL: await createEmpty('restored') }
    expect(await runCli(['restore', file], empty)).toMatchObject({ code: 0, err: '' })
    expect((await runCli(['migrate'], empty)).code).toBe(0)
    expect((await runCli(['verify'], empty)).out).toBe(
      'rollups match events, hours and counters match rollups and reservations\n',
    )
    const restored = await createContext({ DATABASE_URL: empty.DATABASE_URL })
    const count = async (database: typeof ctx.database) =>
      Number((await database`select count(*)::int as n from events`)[0]!.n)
    expect(await count(restored.database)).toBeGreaterThanOrEqual(2000)
    expect(await count(restored.database)).toBeLessThanOrEqual(await count(ctx.database))
    // An event from before the backup is still a duplicate.
    const again = await createTestServer({ DATABASE_URL: empty.DATABASE_URL })
    const before = await count(restored.database)
    expect((await again.post('/api/events', events(0))).status).toBe(201)
    expect(await count(restored.database)).toBe(before)
    expect(await runCli(['restore', file], empty)).toMatchObject({
      code: 1,
      err: 'flagmeter: the database is not empty: make a new one, and restore into that\n',
    })
  })

  test('- is standard output; what is cut short restores nothing', async () => {
    const { url, createEmpty } = await start()
    const file = join(await emptyFolder(), 'out.dump')
    await runCli(['backup', file], { DATABASE_URL: url })
    const streamed = await runCli(['backup', '-'], { DATABASE_URL: url })
    expect([streamed.code, streamed.out.slice(0, 5)]).toEqual([0, 'PGDMP'])
    await truncate(file, Math.floor((await stat(file)).size / 2))
    const empty = { DATABASE_URL: await createEmpty('cut') }
    const { code, err } = await runCli(['restore', file], empty)
    expect([code, err]).toEqual([1, expect.stringMatching(/^flagmeter: pg_restore: error: .*\n$/)])
    expect((await runCli(['migrate'], empty)).code).toBe(0)
  })

  test('on a schedule it makes one when the newest is old enough, keeps the newest, and tells Prometheus', async () => {
    const { url } = await start()
    const dir = await emptyFolder()
    const now = Date.now()
    const ago = (minutes: number) => new Date(now - minutes * 60_000)
    for (const minutes of [300, 200, 100]) {
      const file = join(dir, backupName(ago(minutes)))
      await writeFile(file, 'old')
      await utimes(file, ago(minutes), ago(minutes))
    }
    await writeFile(join(dir, `${backupName(ago(400))}.partial`), 'broken')
    await writeFile(join(dir, 'notes.txt'), 'mine')
    const METRICS_PORT = String(await freePort())
    const args = ['backup', '--dir', dir, '--every', '1h', '--keep', '2']
    const running = startCli(args, { DATABASE_URL: url, METRICS_PORT })
    await until(async () => (await readdir(dir)).length === 3)
    expect(await readFile(join(dir, 'notes.txt'), 'utf8')).toBe('mine')
    expect((await readdir(dir)).filter((file) => file.endsWith('.dump'))).toContain(backupName(ago(100)))
    const text = await (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text()
    const at = Number(/^flagmeter_backup_last_success_timestamp_seconds (\S+)$/m.exec(text)![1])
    expect(Math.abs(Date.now() / 1000 - at)).toBeLessThan(60)
    running.child.kill('SIGTERM')
    expect((await running.finished).code).toBe(0)
    // The newest is fresh: a restart makes none.
    const again = startCli(args, { DATABASE_URL: url })
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    expect(again.output()).toBe('')
  })
})

test('without pg_dump, and without a place to write, the reason is one line', async () => {
  const databaseUrl = 'postgres://u:geheim@127.0.0.1:1/x'
  const missing = await runCli(['backup', 'x.dump'], { DATABASE_URL: databaseUrl, PATH: '/nonexistent' })
  expect([missing.code, missing.err]).toEqual([
    3,
    expect.stringMatching(/^flagmeter: pg_dump is not on the PATH: .*\n$/),
  ])
  const place = await runCli(['backup', '/nonexistent/x.dump'], { DATABASE_URL: databaseUrl })
  expect([place.code, place.err]).toEqual([expect.any(Number), expect.stringMatching(/^flagmeter: [^\n]+\n$/)])
  expect(place.code).not.toBe(0)
  expect(place.err).not.toContain('geheim')
  const both = await runCli(['backup', 'x.dump', '--keep', '2'], { DATABASE_URL: databaseUrl })
  expect([both.code, both.err]).toEqual([2, expect.stringMatching(/leave the file out/)])
})
