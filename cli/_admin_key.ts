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

/** What a process found out about the admin keys when it started. */
export interface FirstKey {
  /** The file with the new key, if this process created one. */
  file?: string
  /** FLAGMETER_ADMIN_KEY is set but not valid, because another admin key was there first. */
  isIgnored: boolean
}

/**
 * Makes sure that somebody can sign in. If the database has no valid admin key, FLAGMETER_ADMIN_KEY becomes the first
 * one, or else a new key is created. When many processes start at once, exactly one creates it.
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
      // Before the commit: a valid key that nobody knows would lock everybody out.
      if (made?.outcome === 'created' && adminKey === undefined) file = await writeKey(dir, key)
    },
  )
  return { ...(file !== undefined && { file }), isIgnored: adminKey !== undefined && row?.outcome === 'other' }
}

/** Tells a person why FLAGMETER_ADMIN_KEY does not work. */
export const IGNORED =
  'FLAGMETER_ADMIN_KEY is not used: the database has another admin key. `flagmeter key create --direct` makes more.'

async function writeKey(dir: string, key: string): Promise<string> {
  const path = adminKeyFile(dir)
  try {
    await makeFolder(dirname(path))
    await rm(path, { force: true }) // it may have another mode
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
