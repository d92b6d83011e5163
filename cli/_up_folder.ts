import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, link, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, writeTrouble } from '../lib/embedded/folder.ts'
import { CommandError } from './_command.ts'
import { type UpFile, readUpFile } from './_up_file.ts'

/** Claims the folder for this process. @throws CommandError when it can't be written or another `up` runs in it */
export async function claimFolder(dir: string): Promise<void> {
  const claim = { pid: process.pid, url: '', databaseUrl: '' }
  try {
    await makeFolder(dir)
    await access(dir, constants.W_OK)
    if (await writeUpFile(dir, claim)) return
  } catch (error) {
    throw new CommandError(`can't write to ${dir} (${writeTrouble(error)}); set FLAGMETER_DIR to a folder of yours`)
  }
  const other = readUpFile(dir)
  if (other && (await isRunning(other)))
    throw new CommandError(`is running already at ${other.url || dir} (process ${other.pid})`)
  if (!(await removeStale(dir, other)) || !(await writeUpFile(dir, claim)))
    throw new CommandError(`is being started by another process in ${dir}`)
}

/** Removes the file of a killed process. False: another process has taken the folder meanwhile. */
async function removeStale(dir: string, stale: UpFile | undefined): Promise<boolean> {
  const taken = `up.json.${randomUUID()}`
  try {
    await rename(join(dir, 'up.json'), join(dir, taken))
    const found = readUpFile(dir, taken)
    const isStale = found === undefined || found.pid === stale?.pid
    if (!isStale) await link(join(dir, taken), join(dir, 'up.json'))
    return isStale
  } catch (error) {
    if (['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code!)) return false
    throw error
  } finally {
    await rm(join(dir, taken), { force: true })
  }
}

/**
 * Its process id may belong to another program by now, so only an answer counts. While it starts, it has no URL yet.
 */
async function isRunning({ pid, url }: UpFile): Promise<boolean> {
  if (pid === process.pid) return false
  if (url === '') return true
  try {
    const answer = await fetch(`${url}/api/health/live`, { signal: AbortSignal.timeout(1_000) })
    return answer.ok
  } catch {
    return false
  }
}

/**
 * Puts the file in place in one step, never half written: with `link` if there must be none yet, with `rename` to
 * replace our own. False when there is one already. Only the owner may read it, since the database's URL has the
 * password.
 */
export async function writeUpFile(dir: string, content: UpFile, put = link): Promise<boolean> {
  const draft = join(dir, `up.json.${randomUUID()}`)
  try {
    await writeFile(draft, JSON.stringify(content), { mode: 0o600 })
    await put(draft, join(dir, 'up.json'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}
