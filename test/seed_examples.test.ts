import postgres from 'postgres'
import { expect, onTestFinished, test } from 'vitest'
import { ensureAdminKey } from '../cli/_admin_key.ts'
import { parseConfig } from '../lib/config.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { runCli, startCli } from './_cli.ts'
import { createDatabase, until } from './_context.ts'
import { emptyFolder } from './_folder.ts'
import { KEY } from './_key.ts'

const EXAMPLES = ['acme-corp', 'globex-inc', 'initech-llc']

async function freshDatabase() {
  const databaseUrl = await createDatabase()
  const database = openDatabase({ databaseUrl, databasePoolSize: 2 })
  onTestFinished(() => database.end())
  const names = async () => (await database`select name from tenants order by name`).map(({ name }) => name as string)
  const run = async (args: string[], env: Record<string, string> = {}) => {
    const { code, out } = await runCli(args, { DATABASE_URL: databaseUrl, ...env })
    expect([code, out]).toEqual([0, expect.anything()])
    return out
  }
  return { databaseUrl, database, names, run }
}

test('migrate with SEED_EXAMPLES makes the examples in an empty database, and by default none', async () => {
  const { names, run } = await freshDatabase()
  expect(await run(['migrate'])).toBe('up to date\n')
  expect(await names()).toEqual([])
  expect(await run(['migrate', '--status'], { SEED_EXAMPLES: 'true' })).not.toContain('tenant')
  expect(await names()).toEqual([])
  expect(await run(['migrate'], { SEED_EXAMPLES: 'true' })).toBe(
    'made the tenant acme-corp\nmade the tenant globex-inc\nmade the tenant initech-llc\n',
  )
  expect(await names()).toEqual(EXAMPLES)
})

test('migrate makes the schema and the examples of a database that has neither', async () => {
  const { databaseUrl } = await freshDatabase()
  const admin = postgres(databaseUrl, { max: 1, onnotice: () => {} })
  onTestFinished(() => admin.end())
  await admin`drop schema flagmeter cascade`
  const { out } = await runCli(['migrate', '--json'], { DATABASE_URL: databaseUrl, SEED_EXAMPLES: 'true' })
  const { applied, seeded } = JSON.parse(out) as { applied: string[]; seeded: string[] }
  expect([applied[0], seeded]).toEqual(['000001_pipeline', EXAMPLES])
})

test('examples that were deleted do not come back, neither with migrate nor with up', async () => {
  const { database, databaseUrl, names, run } = await freshDatabase()
  await run(['migrate'], { SEED_EXAMPLES: 'true' })
  await ensureAdminKey(database, { ...parseConfig({}), adminKey: KEY })
  for (const name of EXAMPLES) await run(['tenant', 'delete', name, '--yes', '--direct'])
  await database`update api_keys set revoked_at = now()`
  expect(await run(['migrate'], { SEED_EXAMPLES: 'true' })).toBe('up to date\n')
  const env = { DATABASE_URL: databaseUrl, FLAGMETER_DIR: await emptyFolder(), FLAGMETER_ADMIN_KEY: '', PORT: '0' }
  const up = startCli(['up'], env)
  await until(() => up.output().includes('FlagMeter is running'))
  up.child.kill('SIGINT')
  expect((await up.finished).code).toBe(0)
  expect(await names()).toEqual([])
})

test('a database with tenants gets no examples; one whose first start was interrupted gets the rest', async () => {
  const own = await freshDatabase()
  await own.run(['tenant', 'create', 'umbrella-corp', '--direct'])
  await own.run(['migrate'], { SEED_EXAMPLES: 'true' })
  expect(await own.names()).toEqual(['umbrella-corp'])

  const half = await freshDatabase()
  await half.run(['tenant', 'create', 'globex-inc', '--direct'])
  await half.run(['migrate'], { SEED_EXAMPLES: 'true' })
  expect(await half.names()).toEqual(EXAMPLES)
})
