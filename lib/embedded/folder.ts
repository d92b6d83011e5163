import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a folder, and those above it that are missing. Not `mkdir` with `recursive`: below /proc, where a folder that
 * is there takes none, that spins forever, in a thread that no signal ends.
 * @throws what the file system says (ENOTDIR, EACCES, ENOENT: a folder can't be made there, or a link leads nowhere)
 */
export async function makeFolder(dir: string): Promise<void> {
  try {
    await mkdir(dir, { mode: 0o755 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') {
      if (!(await stat(dir)).isDirectory()) throw Object.assign(error as Error, { code: 'ENOTDIR' })
      return
    }
    const above = dirname(dir)
    if (code !== 'ENOENT' || (await isFolder(above))) throw error
    await makeFolder(above)
    await makeFolder(dir)
  }
}

const isFolder = (dir: string): Promise<boolean> =>
  stat(dir).then(
    (found) => found.isDirectory(),
    () => false,
  )

const TROUBLES: Record<string, string> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is read-only',
  ENOTDIR: 'a file is in the way',
  ENOENT: 'no folder can be made there, or a link leads nowhere',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'the path is too long',
  ENOSPC: 'the disk is full',
}

/** Why something can't be written, for a person: the code, and what it means. */
export function writeTrouble(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException
  const meaning = TROUBLES[code] ?? (code === '' ? message : undefined)
  return [code, meaning].filter(Boolean).join(': ')
}
