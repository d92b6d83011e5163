import { type ChildProcess, execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { chown, lchown, mkdtemp, open, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { type Binaries, EmbeddedPostgresError, loadBinaries } from './binaries.ts'
import { missing, stopRemains } from './remains.ts'
import { type RunAs, chooseUser } from './run_as.ts'
import { makeFolder } from './folder.ts'

export { EmbeddedPostgresError }

export interface EmbeddedPostgres {
  /** Of the database `flagmeter`, with its password. */
  url: string
  /** Stops it with a checkpoint. Safe to call twice, and when it has died by itself. */
  release: () => Promise<void>
}

export interface EmbeddedPostgresOptions {
  /** Holds data, password and log. Made when missing. */
  dir: string
  /** Of 127.0.0.1. Default: a free one. */
  port?: number
  /** Server settings (`-c name=value`) beside the defaults. */
  settings?: Record<string, string>
  /** It stopped without being told to; `reason` is the end of its log. */
  onExit?: ((reason: string) => void) | undefined
  /** Default: those out of npm. */
  binaries?: Binaries
}

/** What every step needs to know. */
type Cluster = { dir: string; data: string; binaries: Binaries; runAs: RunAs }

/** To answer at all; while it says that it is recovering from a crash, it gets the longer one. */
const START_TIMEOUT_MS = 30_000
const RECOVERY_TIMEOUT_MS = 120_000
const STOP_TIMEOUT_MS = 30_000
/** Its MAXPGPATH is 1024, for the longest of its files. */
const MOST_PATH_BYTES = 900

/**
 * Starts the PostgreSQL that comes out of npm, on a free port of 127.0.0.1, with its data in `dir`.
 * It gets a process group of its own, so that Ctrl-C reaches us alone and we drain before it stops.
 * @throws EmbeddedPostgresError
 */
export async function openEmbeddedPostgres({
  settings = {},
  port,
  onExit,
  ...options
}: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const binaries = options.binaries ?? (await loadBinaries())
  // The server runs in another working directory: a relative folder would be a different one to it.
  const dir = resolve(options.dir)
  const data = join(dir, 'postgres')
  if (Buffer.byteLength(data) > MOST_PATH_BYTES)
    throw new EmbeddedPostgresError(`the path is too long for PostgreSQL, which takes ${MOST_PATH_BYTES} bytes: ${dir}`)
  try {
    await makeFolder(dir)
    const cluster = { dir, data, binaries, runAs: chooseUser(binaries.postgres, dir) }
    await stopRemains(dir, data)
    const password = await ensureCluster(cluster)
    return await start({ ...cluster, password, settings, port, onExit })
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw error
    throw new EmbeddedPostgresError(`the database can't start in ${dir}: ${plainly(error as NodeJS.ErrnoException)}`)
  }
}

function plainly({ code, path, message }: NodeJS.ErrnoException): string {
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return `this user may not use ${path ?? 'it'} (${code}); choose a folder of its own`
  if (code === 'ENOSPC') return 'the disk is full'
  return lastLine(message)
}

/** Makes the cluster at the first start, and hands it to the user that runs it. Returns the password. */
async function ensureCluster(cluster: Cluster): Promise<string> {
  const { dir, data, runAs } = cluster
  const passwordFile = join(dir, 'postgres-password')
  for (const name of await readdir(dir))
    if (name.startsWith('postgres.new')) await rm(join(dir, name), { recursive: true, force: true, maxRetries: 5 })
  const found = await readdir(data).catch(missing)
  if (!found) return await makeCluster(cluster, passwordFile)
  if (!found.includes('PG_VERSION'))
    throw new EmbeddedPostgresError(`${data} holds something that is not a database: move it away`)
  const password = await readFile(passwordFile, 'utf8').catch(missing)
  if (!password) throw new EmbeddedPostgresError(`the database's password is missing from ${passwordFile}`)
  if (runAs.uid !== undefined && (await stat(data)).uid !== runAs.uid) await handOver(data, runAs)
  return password.trim()
}

/**
 * In a folder beside, renamed when complete: a start cut off leaves nothing half made. Its name is never used twice:
 * the initdb of a killed start may be writing still.
 */
async function makeCluster({ dir, data, binaries, runAs }: Cluster, passwordFile: string): Promise<string> {
  const password = randomBytes(24).toString('base64url')
  const fresh = await mkdtemp(join(dir, 'postgres.new-'))
  const handedOver = `${fresh}.password`
  try {
    await rm(passwordFile, { force: true })
    for (const file of [passwordFile, handedOver])
      await writeFile(file, password, { mode: 0o600, flag: 'wx', flush: true })
    if (runAs.uid !== undefined) for (const path of [fresh, handedOver]) await chown(path, runAs.uid, runAs.gid!)
    const args = ['-D', fresh, '-U', 'flagmeter', `--pwfile=${handedOver}`]
    args.push('--auth=scram-sha-256', '--encoding=UTF8', '--locale=C')
    const child = runAs.spawn(binaries.initdb, args, { ...apart(), stdio: ['ignore', 'ignore', 'pipe'] })
    let complaint = ''
    child.stderr!.on('data', (text: Buffer) => (complaint += text.toString()))
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw new EmbeddedPostgresError(`the database can't be made in ${dir}: ${lastLine(complaint)}`)
    await rename(fresh, data)
    await syncFolder(dir)
    return password
  } finally {
    for (const path of [fresh, handedOver]) await rm(path, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** After a power cut the renamed cluster and its password are both there, or neither counts. */
async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dir)
  await folder.sync()
  await folder.close()
}

/** A copied folder, or one an ordinary user has made. The folder itself goes last: cut off, it is done again. */
async function handOver(data: string, { uid, gid }: RunAs): Promise<void> {
  for (const entry of await readdir(data, { recursive: true })) await lchown(join(data, entry), uid!, gid!)
  await chown(data, uid!, gid!)
}

type Start = Cluster & {
  password: string
  settings: Record<string, string>
  port: number | undefined
  onExit: EmbeddedPostgresOptions['onExit']
}

/** A port taken in between, or a killed server whose last children are still going: the next attempt gets through. */
const PASSING = /Address already in use|could not bind|shared memory block .* is still in use/

async function start(given: Start, attempt = 1): Promise<EmbeddedPostgres> {
  const port = given.port ?? (await freePort())
  const logFile = join(given.dir, 'postgres.log')
  const { child, exited } = await launch(given, port, logFile)
  const url = `postgres://flagmeter:${given.password}@127.0.0.1:${port}`
  try {
    await prepare(`${url}/postgres`, child)
  } catch (error) {
    // A stranger on the port answers before our server has said that it can't have it.
    await Promise.race([exited, sleep(1_000)])
    await stop(given, child, exited)
    const complaint = readFileSync(logFile, 'utf8')
    if (PASSING.test(complaint) && attempt < 5) {
      await sleep(100 * attempt)
      return await start(given, attempt + 1)
    }
    const reason = lastLine(complaint) || (error as Error).message
    throw new EmbeddedPostgresError(`the database does not start: ${reason} (see ${logFile})`)
  }
  let released: Promise<void> | undefined
  void exited.then((how) => released ?? given.onExit?.(`${how}: ${lastLine(readFileSync(logFile, 'utf8'))}`))
  return { url: `${url}/flagmeter`, release: () => (released ??= stop(given, child, exited)) }
}

/** The log of the start before is kept, no older one. `exited` tells how it ended, and never rejects. */
async function launch({ data, binaries, runAs, settings }: Start, port: number, logFile: string) {
  if (existsSync(logFile)) await rename(logFile, `${logFile}.1`)
  const all = { listen_addresses: '127.0.0.1', unix_socket_directories: '', timezone: 'UTC', log_timezone: 'UTC' }
  const flags = Object.entries({ ...all, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const log = openSync(logFile, 'a', 0o600)
  const args = ['-D', data, '-p', String(port), ...flags]
  const child = runAs.spawn(binaries.postgres, args, { ...apart(), stdio: ['ignore', log, log] })
  closeSync(log)
  const exited = new Promise<string>((done) => {
    child.once('exit', (code, signal) => done(signal ? `killed by ${signal}` : `exit code ${code}`))
    child.once('error', (error) => done(error.message))
  })
  return { child, exited }
}

/** Waits until it answers, and makes the database when it is missing. */
async function prepare(url: string, child: ChildProcess): Promise<void> {
  const started = performance.now()
  for (;;) {
    const database = postgres(url, { max: 1, connect_timeout: 5, fetch_types: false, onnotice: () => {} })
    try {
      const [found] = await database`select 1 from pg_database where datname = 'flagmeter'`
      if (!found) await database`create database flagmeter`
      return
    } catch (error) {
      const code = String((error as { code?: string }).code)
      // 57P03: it is starting up, or recovering.
      const limitMs = code === '57P03' ? RECOVERY_TIMEOUT_MS : START_TIMEOUT_MS
      const waiting = ['ECONNREFUSED', 'ECONNRESET', 'CONNECTION_CLOSED', 'CONNECT_TIMEOUT', '57P03'].includes(code)
      if (!waiting || !isRunning(child) || performance.now() - started > limitMs) throw error
      await sleep(50)
    } finally {
      await database.end({ timeout: 1 })
    }
  }
}

const isRunning = (child: ChildProcess): boolean =>
  child.pid !== undefined && child.exitCode === null && child.signalCode === null

/**
 * SIGINT is PostgreSQL's fast shutdown: sessions end, everything is on disk. SIGQUIT, if it must be, leaves a recovery.
 */
async function stop({ data, binaries }: Cluster, child: ChildProcess, exited: Promise<string>): Promise<void> {
  if (!isRunning(child)) return
  // Windows has no signals: there kill() would end it as a power cut does.
  if (process.platform === 'win32') execFile(binaries.pg_ctl, ['stop', '-D', data, '-m', 'fast', '--no-wait'], () => {})
  else child.kill('SIGINT')
  const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_TIMEOUT_MS)
  await exited
  clearTimeout(timer)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  return port
}

/** A process group of its own, and nothing of the caller's PG… variables or language. */
const apart = () => ({
  cwd: '/',
  detached: true,
  windowsHide: true,
  env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', TZ: 'UTC' },
})

/** The line that tells most: the last that names an error, else the last. */
function lastLine(text: string): string {
  const lines = text.trim().split('\n')
  const telling = lines.findLast((line) => /FATAL|PANIC|ERROR|error|[Pp]ermission|No space/.test(line))
  return (telling ?? lines.at(-1) ?? '').trim()
}
