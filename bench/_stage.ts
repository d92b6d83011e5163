import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { ensureAdminKey } from '../cli/_admin_key.ts'
import { seed } from '../cli/seed.ts'
import { parseConfig } from '../lib/config.ts'
import { type Database, openDatabase } from '../lib/store/connection.ts'
import { migrate } from '../lib/store/migrate.ts'
import { freePort } from '../test/_valkey.ts'
import { KEY } from './_key.ts'
import { type Store, openPostgres, openValkey, removeStream } from './_stores.ts'

const root = join(import.meta.dirname, '..')
const cli = 'dist/cli/main.js'
/** Longer than the product's own limit for draining. */
const STOP_MS = 15_000

/** A process of the product, or the bare server to compare with. */
export interface Running {
  url: string
  pid: number
  stop(): Promise<void>
}

/** What every row runs on; all of it stops with the bench. */
export interface Stage {
  database: Database
  /** Undefined if VALKEY_URL is not set and no native server is on the PATH. */
  valkey: Pick<Store, 'url'> | undefined
  /** The settings of the Valkey path, with its own stream. */
  streamEnv(): Record<string, string>
  /** Starts `flagmeter serve` with these handlers (none: all), in its own process. */
  serve(handlers: string[], env?: Record<string, string>): Promise<Running>
  /** Starts `flagmeter worker` with these consumers (none: all), in its own process. */
  work(consumers: string[], env?: Record<string, string>): Promise<Running>
  /** The process id of Valkey, if the bench started it. */
  valkeyPid: number | undefined
  /** One process of the control, which does everything once per event. */
  naive(part: 'serve' | 'work', env: Record<string, string>): Promise<Running>
  /** The ingest endpoint alone; `open` leaves out the key check and limits. */
  ingest(open: boolean, env: Record<string, string>): Promise<Running>
  /** A node:http server that reads and parses a body and answers with these bytes. */
  bare(status: number, answer: string): Promise<Running>
  /** Runs a command of the product to its end and returns its output. */
  run(args: string[], env?: Record<string, string>): Promise<string>
}

export interface OpenStage {
  stage: Stage
  /** Stops everything, in reverse order. Safe to call twice. */
  release: () => Promise<void>
}

/** Starts real stores, with the durable settings that the product asks for. */
export async function openStage(): Promise<OpenStage> {
  const releases: (() => Promise<unknown>)[] = []
  const release = async () => {
    for (let next = releases.pop(); next; next = releases.pop())
      await next().catch((error: Error) => console.error(`could not stop: ${error.message}`))
  }
  try {
    const postgres = await openPostgres()
    releases.push(() => postgres.release())
    const valkey = await openValkey()
    if (valkey) releases.push(() => valkey.release())
    const database = openDatabase({ databaseUrl: postgres.url, databasePoolSize: 8 }, 10 * 60 * 1000)
    releases.push(() => database.end({ timeout: 5 }))
    await migrate(database)
    await seed(database)
    await ensureAdminKey(database, { ...parseConfig({}), adminKey: KEY })
    return { stage: openProcesses(postgres, valkey, database, releases), release }
  } catch (error) {
    await release()
    throw error
  }
}

function openProcesses(
  postgres: Store,
  valkey: Store | undefined,
  database: Database,
  releases: (() => Promise<unknown>)[],
): Stage {
  // None of the caller's settings, since they would affect the figures.
  const base = {
    PATH: process.env.PATH,
    DATABASE_URL: postgres.url,
    LOG_LEVEL: 'warn',
    FLAGMETER_KEY: KEY,
    DRAIN_DELAY_MS: '0',
    // Limits are counted but never reached.
    LIMIT_REQUESTS: '1000000',
    LIMIT_EVENTS: '100000000',
  }

  async function start(args: string[], env: Record<string, string>, probe?: string): Promise<Running> {
    const port = String(await freePort())
    const stdio = ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit']
    const child = spawn(process.execPath, args, { cwd: root, env: { ...base, ...env, PORT: port }, stdio })
    const url = `http://127.0.0.1:${port}`
    const stop = () => terminate(child)
    releases.push(stop)
    if (probe !== undefined) await answering(url + probe, child)
    return { url, pid: child.pid!, stop }
  }

  async function run(args: string[], env: Record<string, string> = {}): Promise<string> {
    const stdio = ['ignore', 'pipe', 'inherit'] as ['ignore', 'pipe', 'inherit']
    const child = spawn(process.execPath, [cli, ...args], { cwd: root, env: { ...base, ...env }, stdio })
    releases.push(() => terminate(child))
    let out = ''
    child.stdout.on('data', (data: Buffer) => (out += data.toString()))
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw new Error(`flagmeter ${args.join(' ')} ended with ${code}: ${out}`)
    return out
  }

  return {
    database,
    valkey,
    streamEnv() {
      const [url, name] = [valkey!.url, `bench-${randomUUID()}`]
      releases.push(() => removeStream(url, name))
      return { VALKEY_URL: url, QUEUE_NAME: name }
    },
    serve: (handlers, env = {}) =>
      start([cli, 'serve', ...(handlers.length > 0 ? ['health-live', ...handlers] : [])], env, '/api/health/live'),
    work: (consumers, env = {}) => start([cli, 'worker', ...consumers], env),
    ingest: (open, env) =>
      start(['--import', 'tsx', 'bench/_ingest_server.ts', open ? 'open' : 'checked'], env, '/api/health/live'),
    valkeyPid: valkey?.pid,
    naive: (part, env) => start(['--import', 'tsx', 'bench/_naive.ts', part], env, part === 'serve' ? '/' : undefined),
    bare: (status, answer) => start(['bench/_bare_server.mjs', String(status), answer], {}, '/'),
    run,
  }
}

async function terminate(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  child.kill('SIGTERM')
  await once(child, 'exit')
  clearTimeout(timer)
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 400 && child.exitCode === null; tries++) {
    const answered = await fetch(url).then(
      () => true,
      () => false,
    )
    if (answered) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`nothing answers at ${url}`)
}
