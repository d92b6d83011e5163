import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import Table from 'cli-table3'
import { InvalidArgumentError, Option } from 'commander'
import { type Config, parseConfig } from '../lib/config.ts'
import { isKey } from '../lib/auth/key.ts'

/** Exit codes: what a script can tell apart. */
export const Exit = { failed: 1, usage: 2, unavailable: 3 } as const

/** What went wrong, in one line a person can act on; `main` prints it and exits with `code`. */
export class CommandError extends Error {
  readonly code: number
  constructor(message: string, code: number = Exit.failed) {
    super(message)
    this.code = code
  }
}

/** What every command gets from `main`, the only place that touches the process. */
export interface Terminal {
  env: Record<string, string | undefined>
  out: NodeJS.WriteStream
  err: NodeJS.WriteStream
  /** Aborts at the first SIGINT or SIGTERM; its reason is the signal's name. */
  stop: AbortSignal
}

/** The settings of this run. @throws ConfigError */
export const settings = (terminal: Terminal): Config => parseConfig(terminal.env)

/** Parses an option that is a whole number; `1,000` and `1_000` are fine. */
export function wholeNumber(value: string): number {
  const digits = value.replaceAll(/[_,]/g, '')
  if (!/^\d+$/.test(digits)) throw new InvalidArgumentError('must be a whole number.')
  return Number(digits)
}

/** Parses an option that lists percentages, like `50,80,100`. */
export const percents = (list: string): number[] => list.split(',').map(wholeNumber)

/** An option that is `on` or `off`. */
export const onOff = (flag: string, description: string): Option =>
  new Option(`${flag} <on|off>`, description).argParser((value) => {
    if (value !== 'on' && value !== 'off') throw new InvalidArgumentError('must be on or off.')
    return value === 'on'
  })

/** Prints one JSON document on standard output. */
export function printJson({ out }: Terminal, value: unknown): void {
  out.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** No lines, columns two spaces apart: easy to read, and to cut and grep. */
const PLAIN = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid']
    .concat(['mid', 'mid-mid', 'right', 'right-mid'])
    .map((part) => [part, ''])
    .concat([['middle', '  ']]),
) as NonNullable<Table.TableConstructorOptions['chars']>

/** Prints rows under a head; numbers stand right-aligned with thousands separators. */
export function printTable({ out }: Terminal, head: string[], rows: (string | number)[][]): void {
  const table = new Table({
    head,
    chars: PLAIN,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, i) => (rows.some((row) => typeof row[i] === 'number') ? 'right' : 'left')),
  })
  for (const row of rows)
    table.push(row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)))
  out.write(`${table.toString()}\n`)
}

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

/** A server, and the key to it. */
export interface Server {
  /** Without a trailing slash. */
  url: string
  key?: string
}

/**
 * The server to talk to: `--url`, `FLAGMETER_URL`, the local `up`, or the default port. The key is FLAGMETER_KEY; the first admin
 * key, which lies in FLAGMETER_DIR, goes to servers on this machine alone.
 */
export function serverOf(terminal: Terminal, option: string | undefined): Server {
  const config = settings(terminal)
  const url = option ?? config.url ?? readUpFile(config.dir)?.url ?? `http://127.0.0.1:${config.port}`
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new CommandError(`--url must be a URL like http://127.0.0.1:3000, not '${url}'`, Exit.usage)
  }
  const local = /^(localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\])$/.test(new URL(url).hostname)
  const key = config.key ?? (local ? readAdminKey(config.dir) : undefined)
  return { url: url.replace(/\/+$/, ''), ...(key && { key }) }
}
