import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Transaction, inTransaction } from '../../lib/store/database.ts'
import { openDatabase } from '../../lib/store/connection.ts'
import { findInTransaction } from '../../lib/store/database_schema.ts'
import { createTables, applyMissing, unknownMigrations } from '../../lib/store/migrate.ts'
import { loadSql } from '../../lib/store/sql.ts'
import { CommandError } from '../_command.ts'
import type { DatabaseConfig } from './database.ts'
import { COPY_SETTINGS, type End, type Head, type TableHead, copied, tableName } from './format.ts'
import { type BackupReader, openBackup, unpackBackup } from './reader.ts'

/** The outcome of a restore. */
export interface Restored {
  rows: number
  /** Tables in the backup that no migration creates. They are left out. */
  leftOut: string[]
}

/**
 * Restores a backup into an empty database and migrates it to this release, in one transaction.
 * @throws CommandError when the database is not empty, or the backup can't be used
 */
export async function readBackup(config: DatabaseConfig, from: Readable, stop: AbortSignal): Promise<Restored> {
  const database = openDatabase({ ...config, databasePoolSize: 1 }, 0)
  const backup = openBackup(unpackBackup(from, stop))
  try {
    return await inTransaction(database, (transaction) => load(transaction, backup))
  } finally {
    from.destroy()
    await database.end({ timeout: 1 })
  }
}

async function load(transaction: Transaction, backup: BackupReader): Promise<Restored> {
  const { installed } = await findInTransaction(transaction)
  if (installed.length > 0)
    throw new CommandError(
      `the database already has FlagMeter, in the schema ${installed[0]}: restore into another database`,
    )
  const { flagmeterBackup, migrations, sequences } = await backup.line<Partial<Head>>()
  if (flagmeterBackup !== 1 || !migrations || !sequences) throw new CommandError('this is no backup of FlagMeter')
  const unknown = unknownMigrations(migrations)
  if (unknown.length > 0)
    throw new CommandError(`the backup is newer than this release, which does not know ${unknown.join(', ')}`)

  // Without functions there are no triggers, so nothing is audited or announced a second time.
  await createTables(transaction, migrations)
  await transaction.unsafe(COPY_SETTINGS)
  const made = await transaction.unsafe<TableHead[]>(loadSql('queries/backup_tables'))
  await transaction.unsafe(`truncate ${made.map(tableName).join(', ')}`) // migrations insert rows too
  const indexes = await transaction.unsafe<{ dropped: string; made: string }[]>(loadSql('queries/backup_indexes'))
  for (const { dropped } of indexes.toReversed()) await transaction.unsafe(dropped)
  const restored = await copyTables(transaction, backup, new Set(made.map(({ table }) => table)))
  for (const index of indexes) await transaction.unsafe(index.made)
  for (const { table, column, last } of sequences)
    if (last !== null && !restored.leftOut.includes(table))
      await transaction`select setval(pg_get_serial_sequence(${tableName({ table })}, ${column}), ${last})`
  await transaction.unsafe(`analyze ${made.map(tableName).join(', ')}`)
  await applyMissing(transaction)
  return restored
}

/** Copies all tables in, then compares the row counts. */
async function copyTables(transaction: Transaction, backup: BackupReader, made: Set<string>): Promise<Restored> {
  const leftOut: string[] = []
  for (;;) {
    const head = await backup.line<TableHead | End>()
    if ('rows' in head) {
      await backup.end()
      for (const table of made) {
        const [row] = await transaction.unsafe<{ n: number }[]>(`select count(*) as n from ${tableName({ table })}`)
        if (row?.n !== head.rows[table])
          throw new CommandError(`the backup is damaged: ${row?.n} of ${head.rows[table]} rows are in ${table}`)
      }
      const counts = [...made].map((table) => head.rows[table]!)
      return { rows: counts.reduce((sum, n) => sum + n, 0), leftOut }
    }
    if (made.has(head.table)) {
      await copyIn(transaction, copied(head), backup.rows())
    } else {
      leftOut.push(head.table)
      for await (const _ of backup.rows());
    }
  }
}

async function copyIn(transaction: Transaction, what: string, rows: AsyncIterable<Buffer>): Promise<void> {
  const pending = transaction.unsafe(`copy ${what} from stdin`)
  // If an error arrives with the end of the rows, the driver does not pass it to the stream, which would never end.
  const failed = new Promise<never>((_, fail) => {
    const query = pending as unknown as { reject: (error: Error) => void }
    const { reject } = query
    query.reject = (error) => {
      reject(error)
      fail(error)
    }
  })
  failed.catch(() => {})
  await Promise.race([pipeline(rows, await pending.writable()), failed])
}
