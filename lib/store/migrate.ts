import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Transaction, inTransaction } from './database.ts'
import type { Database } from './connection.ts'
import { enterSchema, findSchema } from './database_schema.ts'
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

/** Each migration in `sql/migrations`, in order, and when it was applied; then those of newer releases. */
export async function migrationStatus(database: Database): Promise<Migration[]> {
  const { current } = await findSchema(database)
  const rows =
    current === null
      ? []
      : await database<{ name: string; applied_at: Date }[]>`
          select name, applied_at from ${database(current)}.schema_migrations`
  const applied = new Map(rows.map((row) => [row.name, row.applied_at]))
  const known = listFiles('migrations')
  const unknown = unknownMigrations([...applied.keys()])
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
 * @throws NewerDatabase, SchemaError
 */
export async function migrate(database: Database): Promise<string[]> {
  // One transaction: others see the old version or the new one meanwhile, and no function is ever missing.
  return await inTransaction(database, async (transaction) => {
    await startMigrating(transaction)
    return await applyMissing(transaction)
  })
}

/** As `migrate`, behind `createTables` in its transaction. */
export async function applyMissing(transaction: Transaction): Promise<string[]> {
  const rows = await transaction<{ name: string }[]>`select name from schema_migrations`
  const done = new Set(rows.map(({ name }) => name))
  const unknown = unknownMigrations([...done])
  if (unknown.length > 0) throw new NewerDatabase(unknown)
  const missing = listFiles('migrations').filter((name) => !done.has(name))
  // Behind a backup that is being made, before anything is locked that others need.
  if (missing.length > 0) await transaction`lock table schema_migrations in exclusive mode`
  const steps = missing.flatMap((name) => [
    loadSql(`migrations/${name}`),
    `insert into schema_migrations (name) values ('${name}')`,
  ])
  const functions = listFiles('functions').map((name) => loadSql(`functions/${name}`))
  await transaction.unsafe([LATE_BINDING, ...steps, ...functions].join(';\n'))
  return missing
}

/** Waits for a migration that runs, and lets the next one wait: no table changes within this transaction. */
export async function holdMigrations(transaction: Transaction): Promise<void> {
  // The first statement of a transaction: its snapshot is taken after the lock.
  await transaction`lock table schema_migrations in row share mode`
}

/** Makes the tables that these migrations make, and schema_migrations without a row: for a backup to fill. */
export async function createTables(transaction: Transaction, migrations: string[]): Promise<void> {
  await startMigrating(transaction)
  const steps = listFiles('migrations').filter((name) => migrations.includes(name))
  await transaction.unsafe([LATE_BINDING, ...steps.map((name) => loadSql(`migrations/${name}`))].join(';\n'))
}

/** Those of newer releases. */
export const unknownMigrations = (names: string[]): string[] => {
  const known = listFiles('migrations')
  return names.filter((name) => !known.includes(name)).toSorted()
}

async function startMigrating(transaction: Transaction): Promise<void> {
  await transaction`set local statement_timeout = 0`
  await transaction`set local lock_timeout = 0`
  await transaction`select pg_advisory_xact_lock(${ADVISORY_LOCK})`
  await enterSchema(transaction)
  await transaction`
    create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now())`
}

const listFiles = (folder: string): string[] =>
  readdirSync(join(sqlFolder(), folder))
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => file.slice(0, -'.sql'.length))
