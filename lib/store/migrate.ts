import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Database, inTransaction } from './database.ts'
import { loadSql, sqlFolder } from './sql.ts'

/** Any fixed number: two migrations of one database never run at the same time. */
const ADVISORY_LOCK = 7_358_001
/** A function may name one that comes after it in the alphabet. */
const LATE_BINDING = 'set local check_function_bodies = off'

export interface Migration {
  name: string
  /** When it was applied; undefined: not yet. */
  appliedAt?: Date
  /** Of a newer release: the database knows it, this release does not. */
  isUnknown?: true
}

/**
 * Every migration in `sql/migrations`, in order, with when it was applied to this database; then those of newer
 * releases.
 */
export async function migrationStatus(database: Database): Promise<Migration[]> {
  const [{ present } = { present: false }] = await database<{ present: boolean }[]>`
    select to_regclass('schema_migrations') is not null as present`
  const rows = present
    ? await database<{ name: string; applied_at: Date }[]>`select name, applied_at from schema_migrations`
    : []
  const applied = new Map(rows.map((row) => [row.name, row.applied_at]))
  const known = listFiles('migrations')
  const unknown = [...applied.keys()].filter((name) => !known.includes(name)).toSorted()
  return [
    ...known.map((name) => {
      const appliedAt = applied.get(name)
      return { name, ...(appliedAt && { appliedAt }) }
    }),
    ...unknown.map((name) => ({ name, appliedAt: applied.get(name)!, isUnknown: true as const })),
  ]
}

/** The database has been migrated by a newer release, and this one would put its older functions over that. */
export class NewerDatabase extends Error {
  constructor(unknown: string[]) {
    super(
      `the database is newer than this release, which does not know ${unknown.join(', ')}; nothing was changed. ` +
        'Run the newer release, or restore a backup from before its migration',
    )
  }
}

/**
 * Applies what is missing and re-applies every function and view, all in one transaction.
 * Safe to call from many processes at once. Returns the names that were applied.
 * @throws NewerDatabase
 */
export async function migrate(database: Database): Promise<string[]> {
  // One transaction: whoever works meanwhile sees the version before or the new one, and no function is ever missing.
  return await inTransaction(database, async (transaction) => {
    await transaction`set local statement_timeout = 0`
    await transaction`set local lock_timeout = 0`
    await transaction`select pg_advisory_xact_lock(${ADVISORY_LOCK})`
    await transaction`
      create table if not exists schema_migrations
      (name text primary key, applied_at timestamptz not null default now())`
    const rows = await transaction<{ name: string }[]>`select name from schema_migrations`
    const done = new Set(rows.map(({ name }) => name))
    const known = listFiles('migrations')
    const unknown = [...done].filter((name) => !known.includes(name)).toSorted()
    if (unknown.length > 0) throw new NewerDatabase(unknown)
    const missing = known.filter((name) => !done.has(name))
    const steps = missing.flatMap((name) => [
      loadSql(`migrations/${name}`),
      `insert into schema_migrations (name) values ('${name}')`,
    ])
    const functions = listFiles('functions').map((name) => loadSql(`functions/${name}`))
    await transaction.unsafe([LATE_BINDING, ...steps, ...functions].join(';\n'))
    return missing
  })
}

const listFiles = (folder: string): string[] =>
  readdirSync(join(sqlFolder(), folder))
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => file.slice(0, -'.sql'.length))
