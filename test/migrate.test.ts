import { expect, test } from 'vitest'
import { NewerDatabase, migrate } from '../lib/store/migrate.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { runCli, startCli } from './_cli.ts'
import { createContext, createDatabase, until } from './_context.ts'
import { AUTHORIZATION } from './_key.ts'
import { emptyFolder } from './_folder.ts'
import { freePort } from './_valkey.ts'

/** A function as a newer release might define it. */
const NEWER_FUNCTION =
  'create or replace function told_thresholds(p_tenant uuid) returns text[] language sql ' +
  "as $$ select '{newer}'::text[] $$"

test('a database migrated by a newer release is left alone: migrate and up refuse, and say what to do', async () => {
  const ctx = await createContext()
  await ctx.database`insert into schema_migrations (name) values ('999998_dimensions'), ('999999_prices')`
  await ctx.database.unsafe(NEWER_FUNCTION)
  const env = { DATABASE_URL: ctx.databaseUrl }
  await expect(migrate(ctx.database)).rejects.toThrow(NewerDatabase)
  const line =
    'flagmeter: the database is newer than this release, which does not know 999998_dimensions, 999999_prices; ' +
    'nothing was changed. Run the newer release, or restore a backup from before its migration\n'
  expect(await runCli(['migrate'], env)).toMatchObject({ code: 1, err: line })
  const status = await runCli(['migrate', '--status'], env)
  expect(status).toMatchObject({ code: 1, err: line })
  expect(status.out).toMatch(/999999_prices +\d{4}-\S+ by a newer release/)
  const up = await runCli(['up'], { ...env, FLAGMETER_DIR: await emptyFolder(), PORT: String(await freePort()) })
  expect(up).toMatchObject({ code: 1, err: line })
  const [row] = await ctx.database`select told_thresholds(gen_random_uuid()) as told`
  expect(row!.told).toEqual(['newer'])
})

test('during a rolling upgrade, servers and workers of the older release work with a newer database', async () => {
  const ctx = await createContext()
  await ctx.database`insert into schema_migrations (name) values ('999999_prices')`
  const PORT = String(await freePort())
  const env = { DATABASE_URL: ctx.databaseUrl, PORT }
  const worker = startCli(['worker', 'prune'], env)
  startCli(['serve'], env)
  const send = () =>
    fetch(`http://127.0.0.1:${PORT}/api/events`, {
      method: 'POST',
      headers: { ...AUTHORIZATION, 'content-type': 'application/json' },
      body: JSON.stringify({ tenant: 'acme-corp', feature: 'x', tokens: 1 }),
    })
  await until(async () => (await send().catch(() => undefined))?.status === 201)
  await until(() => worker.output().includes('"working"'))
})

test('a worker waits for a database that is not yet migrated to its release', async () => {
  const databaseUrl = await createDatabase()
  const database = openDatabase({ databaseUrl, databasePoolSize: 1 })
  await database`delete from schema_migrations where name = '000009_long_work'`
  const worker = startCli(['worker', 'prune'], { DATABASE_URL: databaseUrl })
  await until(() => worker.output().includes('it lacks 000009_long_work'))
  expect(worker.output()).not.toContain('"working"')
  await database`insert into schema_migrations (name) values ('000009_long_work')`
  await until(() => worker.output().includes('"working"'))
  await database.end()
})

test('verify prints the number of differences and the first ones, and exits with 1', async () => {
  const ctx = await createContext()
  await ctx.database`
    insert into rollups (tenant_id, feature, minute, total_tokens, event_count)
    select (select id
      from tenants where name = 'acme-corp'), 'x', '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 minute', 1, 1
    from generate_series(1, 150000) n`
  const { code, out, err } = await runCli(['verify', '--json'], { DATABASE_URL: ctx.databaseUrl })
  expect(JSON.parse(out).filter(({ check }: any) => check === 'rollups').length).toBe(1_000)
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(/^\{"error":\{"message":"15\d{4} differences; the first 1000 of each kind are shown"\}\}\n$/),
  ])
})
