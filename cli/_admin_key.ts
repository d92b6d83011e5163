import { mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config } from '../lib/config.ts'
import { type Database, change } from '../lib/database.ts'
import { hashKey, hintOf, newKey } from '../lib/key.ts'
import { loadSql } from '../lib/sql.ts'
import { CommandError, adminKeyFile } from './_command.ts'

const keyCreateFirstSql = loadSql('queries/key_create_first')

/**
 * Makes sure that somebody can get in: without a valid admin key in the database, FLAGMETER_ADMIN_KEY becomes the first one,
 * or a new key does. Of many processes that start at once exactly one makes it. Returns the file it was written to.
 * @throws CommandError when the file can't be written; database errors
 */
export async function ensureAdminKey(database: Database, { adminKey, dir }: Config): Promise<string | undefined> {
  const key = adminKey ?? newKey()
  const args = [hashKey(key), hintOf(key)]
  let file: string | undefined
  await change<{ created: boolean }>(database, 'first start', keyCreateFirstSql, args, async ([row]) => {
    // Before the commit: a key that counts and that nobody knows would lock everybody out.
    if (row?.created && adminKey === undefined) file = await writeKey(dir, key)
  })
  return file
}

async function writeKey(dir: string, key: string): Promise<string> {
  const path = adminKeyFile(dir)
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 })
    await rm(path, { force: true }) // its mode may be another
    const file = await open(path, 'wx', 0o600)
    await file.writeFile(`${key}\n`)
    await file.sync()
    await file.close()
    return path
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CommandError(
      `can't write the first admin key to ${path} (${code}); set FLAGMETER_DIR, or FLAGMETER_ADMIN_KEY`,
    )
  }
}
