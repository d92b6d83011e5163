import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config } from '../lib/config.ts'
import { change } from '../lib/store/database.ts'
import type { Database } from '../lib/store/connection.ts'
import { makeFolder, writeTrouble } from '../lib/embedded/folder.ts'
import { hashKey, hintOf, newKey } from '../lib/auth/key.ts'
import { loadSql } from '../lib/store/sql.ts'
import { CommandError } from './_command.ts'
import { adminKeyFile } from './_up_file.ts'

/** How a start found the admin keys. */
export interface FirstKey {
  /** Where the key was written that this start has made. */
  file?: string
  /** FLAGMETER_ADMIN_KEY is set, and is not valid: there was another admin key before it. */
  isIgnored: boolean
}

/**
 * Makes sure that somebody can get in: without a valid admin key in the database, FLAGMETER_ADMIN_KEY becomes the first
 * one, or a new key does. Of many processes that start at once exactly one makes it.
 * @throws CommandError when the file can't be written; database errors
 */
export async function ensureAdminKey(database: Database, { adminKey, dir }: Config): Promise<FirstKey> {
  const key = adminKey ?? newKey()
  const args = [hashKey(key), hintOf(key)]
  let file: string | undefined
  type Row = { outcome: 'created' | 'known' | 'other' }
  const [row] = await change<Row>(
    database,
    'first start',
    loadSql('queries/key_create_first'),
    args,
    async ([made]) => {
      // Before the commit: a key that counts and that nobody knows would lock everybody out.
      if (made?.outcome === 'created' && adminKey === undefined) file = await writeKey(dir, key)
    },
  )
  return { ...(file !== undefined && { file }), isIgnored: adminKey !== undefined && row?.outcome === 'other' }
}

/** Why FLAGMETER_ADMIN_KEY opens nothing, for a person. */
export const IGNORED =
  'FLAGMETER_ADMIN_KEY is not used: the database has another admin key. `flagmeter key create --direct` makes more.'

async function writeKey(dir: string, key: string): Promise<string> {
  const path = adminKeyFile(dir)
  try {
    await makeFolder(dirname(path))
    await rm(path, { force: true }) // its mode may be another
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(`${key}\n`)
    await file.sync()
    await file.close()
    return path
  } catch (error) {
    throw new CommandError(
      `can't write the first admin key to ${path} (${writeTrouble(error)}); set FLAGMETER_DIR, or FLAGMETER_ADMIN_KEY`,
    )
  }
}
