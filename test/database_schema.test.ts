import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import postgres from 'postgres'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { seed } from '../cli/seed.ts'
import { openListener } from '../lib/live/listener.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { findSchema } from '../lib/store/database_schema.ts'
import { migrate } from '../lib/store/migrate.ts'
import { runCli, startCli } from './_cli.ts'
import { createTestServer, startConsumers, until } from './_context.ts'
import { emptyFolder } from './_folder.ts'
import { AUTHORIZATION } from './_key.ts'
import { freePort } from './_valkey.ts'

const EVENT = { tenant: 'acme-corp', feature: 'x', tokens: 10 }

/** An application's connection, without our settings. */
function connect(url: string) {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  onTestFinished(() => sql.end())
  return sql
}

/** A database that FlagMeter has never seen. Dropped after the test. */
async function emptyDatabase() {
  const admin = connect(inject('templateUrl').replace(/\/\w+$/, '/postgres'))
  const name = `empty_${randomUUID().replaceAll('-', '')}`
  await admin.unsafe(`create database ${name}`)
  onTestFinished(async () => void (await admin.unsafe(`drop database ${name} with (force)`)))
  const url = inject('templateUrl').replace(/\/\w+$/, `/${name}`)
  return { url, name, app: connect(url) }
}

function open(databaseUrl: string, databaseSchema?: string) {
  const database = openDatabase({ databaseUrl, databasePoolSize: 2, ...(databaseSchema && { databaseSchema }) })
  onTestFinished(() => database.end())
  return database
}

/** An application's tables in the same database, with the same names as ours. */
const APPLICATION = `
create table schema_migrations (version bigint primary key);
insert into schema_migrations values (20260101000000);
create table tenants (id serial primary key, title text);
insert into tenants (title) values ('mine');
create table events (id serial primary key, tenant_id int references tenants, created_at timestamptz default now());
insert into events (tenant_id, created_at) values (1, '2001-01-01');
create table api_keys (token text primary key);
insert into api_keys values ('mine');
create table sessions (token text primary key, expires_at timestamptz);
insert into sessions values ('mine', '2001-01-01');
create function notify_change() returns trigger language plpgsql as $$ begin raise 'not yours'; end $$;`

/** Everything in the schema `public`, as text. */
async function contents(app: postgres.Sql): Promise<unknown> {
  const tables = await app<{ name: string }[]>`
    select table_name as name from information_schema.tables where table_schema = 'public' order by 1`
  const rows = await Promise.all(tables.map(({ name }) => app`select t::text from ${app(`public.${name}`)} as t`))
  const functions = await app`select proname, prosrc from pg_proc where pronamespace = 'public'::regnamespace`
  return JSON.stringify([tables, rows, functions])
}

test('FlagMeter works beside an application that has tables of the same names, and leaves them alone', async () => {
  const { url, app } = await emptyDatabase()
  await app.unsafe(APPLICATION)
  const before = await contents(app)
  const env = { DATABASE_URL: url }
  expect(await runCli(['migrate', '--status'], env)).toMatchObject({ code: 1, out: expect.stringMatching(/missing/) })
  expect(await runCli(['migrate'], env)).toMatchObject({ code: 0, err: '' })

  const { post, get, ctx } = await createTestServer({ ...env, EVENT_RETENTION_DAYS: '42' })
  expect((await post('/api/events', EVENT)).status).toBe(201)
  const { id } = (await post('/api/reservations', EVENT)).body
  expect((await post(`/api/reservations/${id}/settle`, { tokens: 7 })).status).toBe(200)
  expect((await get('/api/usage/acme-corp')).body.totalTokens).toBe(17)
  await startConsumers(ctx, ['prune', 'lapse', 'rebuild', 'deliver'])
  await until(
    async () => (await ctx.database`select from event_retention where pruned_before > '2001-01-01'`).length > 0,
  )
  expect((await runCli(['verify'], env)).code).toBe(0)
  expect(await contents(app)).toBe(before)
})

test('a shared database that is not migrated is recognised as such, whatever tables an application has', async () => {
  const { url, app } = await emptyDatabase()
  await app.unsafe(APPLICATION)
  const before = await contents(app)
  const env = { DATABASE_URL: url, PORT: String(await freePort()) }
  startCli(['serve'], env)
  const ask = async (path: string, body?: unknown) => {
    const headers = { ...AUTHORIZATION, 'content-type': 'application/json' }
    const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) }
    return (await fetch(`http://127.0.0.1:${env.PORT}${path}`, init).catch(() => undefined))?.status
  }
  await until(async () => (await ask('/api/health')) === 503, 60_000)
  expect([await ask('/api/events', EVENT), await ask('/api/usage/acme-corp')]).toEqual([503, 503])
  expect((await runCli(['verify'], env)).err).toBe('flagmeter: the database is not migrated: run `flagmeter migrate`\n')
  expect(await contents(app)).toBe(before)
  expect((await runCli(['migrate'], { ...env, SEED_EXAMPLES: 'true' })).code).toBe(0)
  await until(async () => (await ask('/api/events', EVENT)) === 201, 60_000)
  expect(await contents(app)).toBe(before)
})

test('an installation in `public` stays there, and servers of the earlier release hear its changes', async () => {
  const { url, app } = await emptyDatabase()
  await migrate(open(url, 'public'))
  const heard: string[] = []
  await app.listen('flagmeter_changes', (payload) => heard.push(payload))
  const database = open(url)
  expect(await migrate(database)).toEqual([])
  const { installed, current } = await findSchema(database)
  expect([installed, current]).toEqual([['public'], 'public'])
  const { post } = await createTestServer({ DATABASE_URL: url })
  expect((await post('/api/events', EVENT)).status).toBe(201)
  expect(await app`select tokens from events`).toEqual([{ tokens: '10' }])
  await until(() => heard.some((payload) => payload.includes('"tokens":10')))
})

test('two installations in one database do not notice each other', async () => {
  const { url } = await emptyDatabase()
  const sides = []
  for (const schema of ['left', 'right']) {
    const database = open(url, schema)
    await migrate(database)
    const notices: unknown[] = []
    const config = { databaseUrl: url, databaseSchema: schema }
    const ready = new Promise<void>((resolve) => {
      const listener = openListener({ config, database }, (notice) => notices.push(notice), resolve)
      onTestFinished(() => listener.release())
    })
    await ready
    sides.push({ server: await createTestServer({ DATABASE_URL: url, DATABASE_SCHEMA: schema }), database, notices })
  }
  const [left, right] = sides as [(typeof sides)[0], (typeof sides)[0]]
  const [leftSeen, rightSeen] = [left.notices.length, right.notices.length]
  expect((await left.server.post('/api/events', EVENT)).status).toBe(201)
  await until(() => JSON.stringify(left.notices).includes('"tokens":10'))
  // The next change that the right one hears is its own.
  await seed(right.database, [{ name: 'after' }])
  await until(() => right.notices.length > rightSeen)
  expect(JSON.stringify(right.notices)).not.toContain('"tokens":10')
  expect(left.notices.length).toBeGreaterThan(leftSeen)
  expect((await right.server.get('/api/usage/acme-corp')).body.totalTokens).toBe(0)
})

test('a change by hand, from a connection with its own search path, is audited', async () => {
  const { url, app } = await emptyDatabase()
  const database = open(url)
  await migrate(database)
  await seed(database)
  await app`set search_path = public`
  await app`create table audit_log (mine text)`
  await app`update flagmeter.tenants set monthly_quota = 5 where name = 'acme-corp'`
  const [last] = await database`select action, after ->> 'monthly_quota' as quota from audit_log order by position desc`
  expect(last).toEqual({ action: 'tenant.updated', quota: '5' })
})

test.each([
  'Upper',
  'a-b',
  'a"b',
  "a'; drop schema public",
  'pg_temp',
  'information_schema',
  '1a',
  'a'.repeat(64),
  'a,b',
])('DATABASE_SCHEMA=%s is no name for a schema', async (DATABASE_SCHEMA) => {
  const { code, err } = await runCli(['migrate'], { DATABASE_URL: 'postgres://u:p@127.0.0.1:1/x', DATABASE_SCHEMA })
  expect([code, err]).toEqual([2, expect.stringMatching(/^flagmeter: DATABASE_SCHEMA must be a plain name.*\n$/)])
})

test('a reserved word of SQL can be the name of the schema', async () => {
  const { url } = await emptyDatabase()
  expect((await runCli(['migrate'], { DATABASE_URL: url, DATABASE_SCHEMA: 'user' })).code).toBe(0)
  expect((await findSchema(open(url))).installed).toEqual(['user'])
})

describe('when the schema cannot be used, migrate changes nothing and says what to do', () => {
  /** A database user without any rights. */
  async function createUser() {
    const { url, name, app } = await emptyDatabase()
    const user = `u_${randomUUID().slice(0, 8)}`
    await app.unsafe(`create role ${user} login password 'p'`)
    onTestFinished(async () => {
      const admin = postgres(url, { max: 1, onnotice: () => {} })
      await admin.unsafe(`drop owned by ${user} cascade`)
      await admin.unsafe(`drop role ${user}`)
      await admin.end()
    })
    const own = new URL(url)
    own.username = user
    own.password = 'p'
    return { app, user, name, env: { DATABASE_URL: own.href } }
  }

  test('the user may not create it: each of the suggested statements helps', async () => {
    const { app, user, name, env } = await createUser()
    const refused = await runCli(['migrate'], env)
    expect(refused).toMatchObject({
      code: 1,
      err:
        `flagmeter: the user ${user} may not create the schema flagmeter. A user who may can run ` +
        `\`create schema flagmeter authorization "${user}"\`, or ` +
        `\`grant create on database "${name}" to "${user}"\`\n`,
    })
    await app.unsafe(/`(create schema [^`]+)`/.exec(refused.err)![1]!)
    expect((await runCli(['migrate'], env)).code).toBe(0)
    const other = { ...env, DATABASE_SCHEMA: 'other' }
    await app.unsafe(/`(grant [^`]+)`/.exec((await runCli(['migrate'], other)).err)![1]!)
    expect((await runCli(['migrate'], other)).code).toBe(0)
  })

  test('it belongs to somebody else: the suggested grant helps', async () => {
    const { app, user, env } = await createUser()
    await app`create schema flagmeter`
    const refused = await runCli(['migrate'], env)
    expect(refused.err).toBe(
      `flagmeter: the user ${user} may not create tables in the schema flagmeter. ` +
        `Its owner can run \`grant usage, create on schema flagmeter to "${user}"\`\n`,
    )
    await app.unsafe(/`(grant [^`]+)`/.exec(refused.err)![1]!)
    expect((await runCli(['migrate'], env)).code).toBe(0)
  })

  test('it has tables that are not FlagMeter’s', async () => {
    const { url, app } = await emptyDatabase()
    await app.unsafe('create schema flagmeter; create table flagmeter.flags (id int)')
    const { code, err } = await runCli(['migrate'], { DATABASE_URL: url })
    expect([code, err]).toEqual([
      1,
      expect.stringContaining("the schema flagmeter has tables that are not FlagMeter's (flags)"),
    ])
    const own = await runCli(['migrate'], { DATABASE_URL: url, DATABASE_SCHEMA: 'metering' })
    expect(own.code).toBe(0)
  })

  test('another schema has FlagMeter already', async () => {
    const { url, app } = await emptyDatabase()
    await migrate(open(url, 'metering'))
    const { code, err } = await runCli(['migrate'], { DATABASE_URL: url })
    expect([code, err]).toEqual([1, expect.stringContaining('Set DATABASE_SCHEMA=metering to use it')])
    expect(await app`select nspname from pg_namespace where nspname = 'flagmeter'`).toEqual([])
    expect((await runCli(['migrate'], { DATABASE_URL: url, DATABASE_SCHEMA: 'flagmeter' })).code).toBe(0)
  })
})

test('a backup has FlagMeter’s schema alone, and can be restored beside an application', async () => {
  const { url, app } = await emptyDatabase()
  await app.unsafe(APPLICATION)
  await migrate(open(url))
  const { post } = await createTestServer({ DATABASE_URL: url })
  await post('/api/events', EVENT)
  const file = join(await emptyFolder(), 'shared.dump')
  expect(await runCli(['backup', file], { DATABASE_URL: url })).toMatchObject({ code: 0, err: '' })
  const { url: restoredUrl, app: restored } = await emptyDatabase()
  await restored.unsafe(APPLICATION)
  const before = await contents(restored)
  expect(await runCli(['restore', file], { DATABASE_URL: restoredUrl })).toMatchObject({ code: 0, err: '' })
  expect((await runCli(['verify'], { DATABASE_URL: restoredUrl })).code).toBe(0)
  expect(await contents(restored)).toBe(before)
  expect((await restored`select tokens from flagmeter.events`).map(({ tokens }) => tokens)).toEqual(['10'])
})
