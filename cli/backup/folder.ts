import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'

const PATTERN = /^flagmeter-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.dump$/
const PARTIAL = /^flagmeter-.*\.dump\.partial$/

/** Names that sort by time. */
export const backupName = (at: Date): string => `flagmeter-${at.toISOString().slice(0, 19).replaceAll(':', '-')}Z.dump`

/** The backups in a folder, oldest first. Other files are left alone. */
export const listBackups = async (dir: string): Promise<string[]> =>
  (await readdir(dir))
    .filter((file) => PATTERN.test(file))
    .sort()
    .map((file) => join(dir, file))

/** Deletes all but the newest `keep`, and the remains of interrupted backups. Returns how many backups it deleted. */
export async function pruneBackups(dir: string, keep: number): Promise<number> {
  const old = (await listBackups(dir)).slice(0, -keep)
  const partial = (await readdir(dir)).filter((file) => PARTIAL.test(file)).map((file) => join(dir, file))
  for (const file of [...old, ...partial]) await rm(file, { force: true })
  return old.length
}

/** When the newest backup was finished, in milliseconds since 1970; 0 if there is none. */
export async function newestBackupAt(dir: string): Promise<number> {
  const newest = (await listBackups(dir)).at(-1)
  return newest === undefined ? 0 : (await stat(newest)).mtimeMs
}
