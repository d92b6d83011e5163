import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isKey } from '../lib/auth/key.ts'

/** What a running `flagmeter up` leaves for the other commands in `<dir>/up.json`. */
export interface UpFile {
  pid: number
  /** Where its handlers answer, like `http://127.0.0.1:3000`. */
  url: string
  /** The database it runs on. */
  databaseUrl: string
}

/** The `up` that runs in `dir`, or undefined when there is none. */
export function readUpFile(dir: string, name = 'up.json'): UpFile | undefined {
  try {
    const up = JSON.parse(readFileSync(join(dir, name), 'utf8')) as UpFile
    process.kill(up.pid, 0) // throws when no such process is left
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
