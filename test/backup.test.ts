import { randomUUID } from 'node:crypto'
import { readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import postgres from 'postgres'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { backupName } from '../cli/backup/folder.ts'
import { openBackup } from '../cli/backup/reader.ts'
import { writeBackup } from '../cli/backup/write.ts'
import { inTransaction } from '../lib/store/database.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { createTables, holdMigrations, migrate, migrationStatus } from '../lib/store/migrate.ts'
import { type Started, runCli, startCli } from './_cli.ts'
import { createContext, createDatabase, createTestServer, until } from './_context.ts'
import { emptyFolder } from './_folder.ts'
import { freePort } from './_valkey.ts'

const MATCH = /^restored [\d,]+ rows; rollups, counters and holds match\n$/

/** An empty database, dropped after the test. */
async function createEmpty(): Promise<{ DATABASE_URL: string }> {
  const url = inject('templateUrl')
  const name = `empty_${randomUUID().replaceAll('-', '')}`
  const admin = postgres(url.replace(/\/\w+$/, '/postgres'), { max: 1 })
  await admin.unsafe(`create database ${name}`)
  onTestFinished(async () => {
    await admin.unsafe(`drop database ${name} with (force)`)
    await admin.end()
  })
  return { DATABASE_URL: url.replace(/\/\w+$/, `/${name}`) }
}

function open(databaseUrl: string) {
  const database = openDatabase({ databaseUrl, databasePoolSize: 2 })
  onTestFinished(() => database.end())
  return database
}

/** The content of a backup, except its creation time. */
const contentOf = async (file: string) =>
  gunzipSync(await readFile(file))
    .toString()
    .replace(/"createdAt":"[^"]+"/, '')

const migrationNames = async (databaseUrl: string) =>
  (await migrationStatus(open(databaseUrl))).map(({ name }) => name).toSorted()

describe('a backup restored into an empty database', () => {
  test('taken under load passes verify, and an event from before it is still a duplicate', async () => {
    const { post, ctx, databaseUrl } = await createTestServer()
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
    const backup = await runCli(['backup', file], { DATABASE_URL: databaseUrl })
    stopped = true
    await load
    expect([backup.code, backup.err]).toEqual([0, ''])
    expect(backup.out).toMatch(/one\.dump: 0\.\d MB\n$/)
    expect((await stat(file)).mode & 0o777).toBe(0o600)

    const empty = await createEmpty()
    expect(await runCli(['restore', file], empty)).toEqual({ code: 0, err: '', out: expect.stringMatching(MATCH) })
    const restored = await createContext(empty)
    const count = async (database: typeof ctx.database) =>
      Number((await database`select count(*)::int as n from events`)[0]!.n)
    expect(await count(restored.database)).toBeGreaterThanOrEqual(2000)
    expect(await count(restored.database)).toBeLessThanOrEqual(await count(ctx.database))
    const again = await createTestServer(empty)
    const before = await count(restored.database)
    expect((await again.post('/api/events', events(0))).status).toBe(201)
    expect(await count(restored.database)).toBe(before)
    expect(await runCli(['restore', file], empty)).toMatchObject({
      code: 1,
      err: 'flagmeter: the database already has FlagMeter, in the schema flagmeter: restore into another database\n',
    })
  })

  test('is identical to the last byte: every table and every sequence', async () => {
    const { post, ctx, databaseUrl, request } = await createTestServer()
    const { database } = ctx
    await post('/api/quotas', { tenant: 'acme-corp', feature: 'x', period: 'day', tokenLimit: 1000 })
    const texts = ['plain', 'tab\tand\\.back\\slash', '\\.', 'line\nbreak\r\n\\.\n', 'ü€😀', '\\N', '']
    const features = ['ü€😀', '\\N', '"quoted"', '\\.', 'a\\tb', 'plain']
    const crossing = features.map((feature, i) => ({ tenant: 'acme-corp', feature, tokens: 200_000, id: `e${i}` }))
    expect((await post('/api/events', crossing)).status).toBe(201)
    const priced = { tenant: 'acme-corp', feature: 'x', model: '\\.', user: 'ü€😀', usage: { input: 1 } }
    expect((await post('/api/prices', { model: '*', input: '0.1', output: 1 })).status).toBe(201)
    expect((await post('/api/events', priced)).status).toBe(201)
    expect((await post('/api/reservations', { tenant: 'globex-inc', feature: 'x', tokens: 7 })).status).toBe(201)
    await database`
      insert into dead_letters (id, payload, reason)
      select gen_random_uuid(), t, 'none' from unnest(${texts}::text[]) as t`
    await database`insert into deliveries (tenant_id, webhook_id) select tenant_id, id from webhooks`
    await database`
      insert into sessions (hash, key_id, expires_at) select '\\x00ff0a5c', id, now() from api_keys limit 1`
    await database`
      insert into tenant_rebuilds (tenant_id, billing_day, timezone, first_minute, counted_until)
      values (gen_random_uuid(), 1, 'UTC', '-infinity', 'infinity')`
    await database`insert into rebuilt_features values (gen_random_uuid(), gen_random_uuid(), now(), now(), 'x', 1, 1)`
    await database`insert into quota_users values (gen_random_uuid(), gen_random_uuid(), 'u', 1)`
    await database`
      insert into rebuilt_splits
      values (gen_random_uuid(), gen_random_uuid(), now(), 'user', 'u', 1, 1, 1, 1, 1, 1, 1, 1, 1)`
    expect((await request('DELETE', '/api/tenants/initech-llc')).status).toBe(200)
    await database`insert into deleted_webhooks values (gen_random_uuid(), gen_random_uuid(), now())`
    await database`select setval(pg_get_serial_sequence('quotas', 'position'), 4711)`

    const dir = await emptyFolder()
    const [first, second] = [join(dir, '1.dump'), join(dir, '2.dump')]
    await runCli(['backup', first], { DATABASE_URL: databaseUrl })
    const content = await contentOf(first)
    const heads = content.split('\n').filter((line) => line.startsWith('{"table"'))
    const empties = [...content.matchAll(/^\{"table":"(\w+)".*\n\\\.$/gm)].map(([, table]) => table)
    expect([heads.length, empties]).toEqual([expect.any(Number), []]) // every table has a row here
    expect(heads.length).toBeGreaterThan(15)

    const empty = await createEmpty()
    expect(await runCli(['restore', first], empty)).toMatchObject({ code: 0, err: '' })
    await runCli(['backup', second], empty)
    expect(await contentOf(second)).toBe(content)
    const restored = await createTestServer(empty)
    await restored.post('/api/quotas', { tenant: 'globex-inc', period: 'week', tokenLimit: 5 })
    expect(await restored.ctx.database`select position from quotas where period = 'week'`).toEqual([{ position: 4712 }])
  })

  test('gets the missing migrations if it is from an older release, and is refused if from a newer one', async () => {
    const old = await createEmpty()
    const database = open(old.DATABASE_URL)
    const all = await migrationNames(old.DATABASE_URL)
    const older = all.slice(0, 3)
    await inTransaction(database, async (transaction) => {
      await createTables(transaction, older)
      await transaction`insert into schema_migrations (name) select unnest(${older}::text[])`
      await transaction`insert into tenants (name) values ('acme-corp')`
    })
    const file = join(await emptyFolder(), 'old.dump')
    expect((await runCli(['backup', file], old)).code).toBe(0)
    const empty = await createEmpty()
    expect((await runCli(['restore', file], empty)).code).toBe(0)
    expect((await runCli(['migrate', '--status'], empty)).code).toBe(0)
    expect(await open(empty.DATABASE_URL)`select name, monthly_hard from tenants`).toEqual([
      { name: 'acme-corp', monthly_hard: true },
    ])

    await database`insert into schema_migrations (name) values ('999999_prices')`
    await runCli(['backup', file], old)
    expect(await runCli(['restore', file], await createEmpty())).toMatchObject({
      code: 1,
      err: 'flagmeter: the backup is newer than this release, which does not know 999999_prices\n',
    })
  })

  test('leaves out foreign tables, and says so', async () => {
    const url = await createDatabase()
    await open(url)`create table notes as select 'mine' as text`
    const file = join(await emptyFolder(), 'x.dump')
    await runCli(['backup', file], { DATABASE_URL: url })
    expect(await runCli(['restore', file], await createEmpty())).toMatchObject({
      code: 0,
      err: 'flagmeter: left out notes, which is not a FlagMeter table\n',
    })
  })
})

const repack = (file: Buffer, edit: (text: string) => string) => {
  const text = gunzipSync(file).toString()
  expect(edit(text)).not.toBe(text)
  return gzipSync(edit(text))
}

const BROKEN: [string, (file: Buffer) => Buffer, RegExp][] = [
  ['cut short', (file) => file.subarray(0, file.length / 2), /the backup is cut short/],
  ['without its last byte', (file) => file.subarray(0, -1), /the backup is cut short/],
  [
    'with a byte changed',
    (file) => Buffer.from(file.map((byte, i) => (i === file.length - 5 ? ~byte : byte))),
    /damaged/,
  ],
  ['without its last line', (file) => repack(file, (text) => text.replace(/.*\n$/, '')), /the backup is cut short/],
  [
    'lacking a row',
    (file) => repack(file, (text) => text.replace(/.*\tglobex-inc\t.*\n/, '')),
    /2 of 3 rows are in tenants/,
  ],
  [
    'with a row twice',
    (file) => repack(file, (text) => text.replace(/.*\tglobex-inc\t.*\n/, '$&$&')),
    /4 of 3 rows are in tenants/,
  ],
  [
    'with a value that is none',
    (file) => repack(file, (text) => text.replace(/\tglobex-inc\t\d+/, '\tglobex-inc\tmany')),
    /invalid input syntax for type bigint: "many"/,
  ],
  ['of something else', () => gzipSync('hello\n'), /this is no backup of FlagMeter/],
  ['of text', () => Buffer.from('hello\n'), /this is no backup of FlagMeter, or it is damaged/],
  ['empty', () => Buffer.alloc(0), /the backup is cut short/],
  ['of pg_dump', () => Buffer.from('PGDMP\x01\x10'), /made by pg_dump: restore it with `pg_restore /],
]

test('an incomplete file restores nothing', async () => {
  const { databaseUrl } = await createContext()
  const file = join(await emptyFolder(), 'x.dump')
  await runCli(['backup', file], { DATABASE_URL: databaseUrl })
  const whole = await readFile(file)
  const empty = await createEmpty()
  for (const [name, harm, message] of BROKEN) {
    await writeFile(file, harm(whole))
    const { code, err, out } = await runCli(['restore', file], empty)
    expect([name, code, err, out]).toEqual([name, 1, expect.stringMatching(message), ''])
    expect(err).toMatch(/^flagmeter: [^\n]+\n$/)
  }
  await writeFile(file, whole)
  expect(await runCli(['restore', file], empty)).toMatchObject({ code: 0, err: '' }) // it is still empty
})

test('the end of the rows is found wherever the chunks are cut', async () => {
  const rows = 'a\\\\.\n\\\\.\n.\n\\N\n'
  const text = `{"table":"x"}\n${rows}\\.\n{"table":"y"}\n\\.\n{"rows":{}}\n`
  for (let size = 1; size <= text.length; size++) {
    const pieces = (async function* () {
      for (let at = 0; at < text.length; at += size) yield Buffer.from(text.slice(at, at + size))
    })()
    const backup = openBackup(pieces)
    const read = async () => {
      let all = ''
      for await (const piece of backup.rows()) all += piece.toString()
      return all
    }
    const seen = [await backup.line(), await read(), await backup.line(), await read(), await backup.line()]
    await backup.end()
    expect(seen).toEqual([{ table: 'x' }, rows, { table: 'y' }, '', { rows: {} }])
  }
})

test('a migration waits for a backup, and nothing waits for that migration', async () => {
  const { DATABASE_URL } = await createEmpty()
  const database = open(DATABASE_URL)
  const older = (await migrationNames(DATABASE_URL)).slice(0, 3)
  await inTransaction(database, async (transaction) => {
    await createTables(transaction, older)
    await transaction`insert into schema_migrations (name) select unnest(${older}::text[])`
  })
  let migrating: Promise<string[]> | undefined
  await inTransaction(database, async (transaction) => {
    await holdMigrations(transaction)
    migrating = migrate(database)
    const other = open(DATABASE_URL)
    await until(async () => (await other`select 1 from pg_locks where not granted`).length > 0)
    await other`insert into tenants (name) values ('acme-corp')`
  })
  expect((await migrating)?.length).toBeGreaterThan(3)
})

test('a destination that stops accepting data ends the backup, and leaves the database as it was', async () => {
  const databaseUrl = await createDatabase()
  const database = open(databaseUrl)
  await database`
    insert into events
    select gen_random_uuid(), gen_random_uuid(), 'x', 1, now(), now() from generate_series(1, 100000)`
  const full = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no space left')) })
  await expect(writeBackup({ databaseUrl }, full, new AbortController().signal)).rejects.toThrow('no space left')
  const stop = new AbortController()
  const slow = new Writable({ write: () => stop.abort() }) // takes one chunk, and never reports it
  await expect(writeBackup({ databaseUrl }, slow, stop.signal)).rejects.toThrow(/abort/)
  const busy = await database`
    select 1 from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle'`
  expect(busy).toEqual([])
})

test('the embedded database is backed up with and without `up`, and restored into a new folder', async () => {
  const dir = await emptyFolder()
  const env = { FLAGMETER_DIR: join(dir, 'one'), FLAGMETER_ADMIN_KEY: '', FLAGMETER_KEY: '', PORT: '0' }
  const files = ['running.dump', 'stopped.dump'].map((name) => join(dir, name))
  const up = await startUp(env)
  await runCli(['send', 'acme-corp', 'gpt-4o', '500'], env)
  expect(await runCli(['backup', files[0]!], env)).toMatchObject({ code: 0, err: '' })
  expect(await runCli(['restore', files[0]!], env)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/already has FlagMeter/),
  })
  await stopUp(up)
  expect(await runCli(['backup', files[1]!], env)).toMatchObject({ code: 0, err: '' })
  const two = { ...env, FLAGMETER_DIR: join(dir, 'two') }
  expect(await runCli(['restore', files[1]!], two)).toMatchObject({ code: 0, err: '' })
  const again = await startUp(two)
  const key = (await readFile(join(dir, 'one/admin-key'), 'utf8')).trim()
  const { out } = await runCli(['usage', 'acme-corp', '--json'], { ...two, FLAGMETER_KEY: key })
  expect(out).toContain('"totalTokens": 500')
  await stopUp(again)
})

async function startUp(env: Record<string, string>): Promise<Started> {
  const up = startCli(['up'], env)
  await until(() => up.output().includes('Stop with Ctrl-C'), 60_000)
  return up
}

async function stopUp({ child, finished }: Started): Promise<void> {
  child.kill('SIGINT')
  expect((await finished).code).toBe(0)
}

test('- is standard output', async () => {
  const { databaseUrl } = await createContext()
  const streamed = startCli(['backup', '-'], { DATABASE_URL: databaseUrl })
  const pieces: Buffer[] = []
  streamed.child.stdout!.on('data', (data: Buffer) => pieces.push(data))
  expect((await streamed.finished).code).toBe(0)
  expect(gunzipSync(Buffer.concat(pieces)).toString()).toMatch(/^\{"flagmeterBackup":1/)
})

test('on a schedule it makes one when the newest is old enough, keeps the newest, and exports metrics', async () => {
  const { databaseUrl: url } = await createContext()
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
  await until(async () => (await readdir(dir)).length === 3, 30_000)
  expect(await readFile(join(dir, 'notes.txt'), 'utf8')).toBe('mine')
  expect((await readdir(dir)).filter((file) => file.endsWith('.dump'))).toContain(backupName(ago(100)))
  const text = await (await fetch(`http://127.0.0.1:${METRICS_PORT}/metrics`)).text()
  const at = Number(/^flagmeter_backup_last_success_timestamp_seconds (\S+)$/m.exec(text)![1])
  expect(Math.abs(Date.now() / 1000 - at)).toBeLessThan(60)
  running.child.kill('SIGTERM')
  expect((await running.finished).code).toBe(0)
  // The newest is recent: a restart makes none.
  const again = startCli(args, { DATABASE_URL: url })
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  expect(again.output()).toBe('')
})

test('without a database or a place to write, the reason is one line', async () => {
  const none = await runCli(['backup', 'x.dump'])
  expect([none.code, none.err]).toEqual([3, expect.stringMatching(/^flagmeter: no database: [^\n]+\n$/)])
  const DATABASE_URL = 'postgres://u:geheim@127.0.0.1:1/x'
  const away = await runCli(['backup', 'x.dump'], { DATABASE_URL })
  expect([away.code, away.err]).toEqual([3, expect.stringMatching(/^flagmeter: the database does not answer: .*\n$/)])
  expect(away.err).not.toContain('geheim')
  const place = await runCli(['backup', '/nonexistent/x.dump'], { DATABASE_URL: await createDatabase() })
  expect([place.code, place.err]).toEqual([1, expect.stringMatching(/^flagmeter: can't write \/nonexistent[^\n]+\n$/)])
  const both = await runCli(['backup', 'x.dump', '--keep', '2'], { DATABASE_URL })
  expect([both.code, both.err]).toEqual([2, expect.stringMatching(/leave the file out/)])
})
