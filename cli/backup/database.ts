import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Config } from '../../lib/config.ts'
import { EmbeddedPostgresError, openEmbeddedPostgres } from '../../lib/embedded/postgres.ts'
import { CommandError, Exit, type Terminal, settings } from '../_command.ts'
import { withOpenDatabase } from '../_database.ts'
import { awaitDatabase } from '../_stores.ts'
import { readUpFile } from '../_up_file.ts'
import { claimFolder } from '../_up_folder.ts'

/** A database, and the schema with FlagMeter in it. */
export type DatabaseConfig = Pick<Config, 'databaseUrl' | 'databaseSchema'>

/**
 * Calls `work` with the settings of the database: DATABASE_URL, or that of the `up` that runs in FLAGMETER_DIR.
 * Otherwise it starts the embedded database in that folder while the work runs.
 * @throws CommandError when there is none and `make` is not set
 */
export async function withBackupDatabase(
  terminal: Terminal,
  work: (config: DatabaseConfig) => Promise<void>,
  make = false,
): Promise<void> {
  const config = settings(terminal)
  const databaseUrl = config.databaseUrl ?? readUpFile(config.dir)?.databaseUrl
  if (databaseUrl) {
    await withOpenDatabase({ ...config, databaseUrl }, (database) => awaitDatabase(terminal, database, 0))
    return await work({ ...config, databaseUrl })
  }
  const dir = resolve(config.dir)
  if (!make && !existsSync(join(dir, 'postgres/PG_VERSION')))
    throw new CommandError(
      `no database: set DATABASE_URL, or FLAGMETER_DIR to the folder of \`flagmeter up\` (there is none in ${dir})`,
      Exit.unavailable,
    )
  await claimFolder(dir)
  try {
    const server = await openEmbeddedPostgres({ dir })
    try {
      await work({ ...config, databaseUrl: server.url })
    } finally {
      await server.release()
    }
  } catch (error) {
    throw error instanceof EmbeddedPostgresError ? new CommandError(error.message) : error
  } finally {
    await rm(join(dir, 'up.json'), { force: true })
  }
}
