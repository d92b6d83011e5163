import { type Database, openDatabase } from '../lib/store/connection.ts'
import type { Config } from '../lib/config.ts'
import { CommandError, Exit, type Terminal, settings } from './_command.ts'
import { awaitDatabase } from './_stores.ts'
import { readUpFile } from './_up_file.ts'

/**
 * The settings, with the database to use: DATABASE_URL, or the database of the local `up`.
 * @throws CommandError when there is none
 */
export function databaseSettings(terminal: Terminal): Config & { databaseUrl: string } {
  const config = settings(terminal)
  const databaseUrl = config.databaseUrl ?? readUpFile(config.dir)?.databaseUrl
  if (databaseUrl === undefined) {
    throw new CommandError('no database: set DATABASE_URL, or start one with `flagmeter up`', Exit.unavailable)
  }
  return { ...config, databaseUrl }
}

/** Long, because rebuilding the counters of a large tenant may take longer than any request. */
export const STATEMENT_TIMEOUT_MS = 10 * 60 * 1000

/** Opens the database for one command. */
export const openCommandDatabase = (config: Pick<Config, 'databaseUrl' | 'databaseSchema'>): Database =>
  openDatabase({ ...config, databasePoolSize: 2 }, STATEMENT_TIMEOUT_MS)

/** Opens the database for one piece of work, after waiting up to `waitSeconds` for it to answer. */
export const withDatabase = <T>(
  terminal: Terminal,
  work: (database: Database) => Promise<T>,
  waitSeconds = 0,
): Promise<T> =>
  withOpenDatabase(databaseSettings(terminal), async (database) => {
    await awaitDatabase(terminal, database, waitSeconds)
    return await work(database)
  })

/** Opens this database for one piece of work. */
export async function withOpenDatabase<T>(
  config: Pick<Config, 'databaseUrl' | 'databaseSchema'>,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = openCommandDatabase(config)
  try {
    return await work(database)
  } finally {
    await database.end({ timeout: 1 })
  }
}
