import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isKey } from '../lib/auth/key.ts'

/** What a running `flagmeter up` writes to `<dir>/up.json` for the other commands. */
export interface UpFile {
  pid: number
  /** Where the server answers, like `http://127.0.0.1:3000`. */
  url: string
  /** The URL of its database. */
  databaseUrl: string
}

/** The `up` running in `dir`, or undefined if there is none. */
export function readUpFile(dir: string, name = 'up.json'): UpFile | undefined {
  try {
    const up = JSON.parse(readFileSync(join(dir, name), 'utf8')) as UpFile
    process.kill(up.pid, 0) // throws if the process is gone
    return up
  } catch {
    return undefined
  }
}

/** Where the first admin key is kept. */
export const adminKeyFile = (dir: string): string => join(resolve(dir), 'admin-key')

/** The key in the file, or undefined when there is none. */
export function readAdminKey(dir: string): string | undefined {
  try {
    const key = readFileSync(adminKeyFile(dir), 'utf8').trim()
    return isKey(key) ? key : undefined
  } catch {
    return undefined
  }
}
