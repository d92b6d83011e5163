import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seed } from '../cli/seed.ts'
import { type Database, openDatabase } from '../lib/database.ts'
import { openEmbeddedPostgres } from '../lib/embedded_postgres.ts'
import { migrate } from '../lib/migrate.ts'
import { type NativeValkey, findServer, freePort, startNativeValkey } from '../test/_valkey.ts'

const root = join(import.meta.dirname, '..')

/** A process of the product, or the bare server it is held against. */
export interface Running {
  url: string
  pid: number
  stop(): Promise<void>
}

/** What every row works with; all of it stops with the bench. */
export interface Stage {
  databaseUrl: string
  database: Database
  /** Undefined: no native server on the PATH. */
  valkey: NativeValkey | undefined
  /** `flagmeter serve` with these handlers, in a process of its own. */
  serve(handlers: string[], env?: Record<string, string>): Promise<Running>
  /** `flagmeter worker rollup`, in a process of its own. */
  work(env?: Record<string, string>): Promise<Running>
  /** A node:http server that reads and parses a body and answers these bytes. */
  bare(status: number, answer: string): Promise<Running>
  /** Runs a command of the product to its end and returns what it printed. */
  run(args: string[], env?: Record<string, string>): Promise<string>
}

/** Starts the stores: real ones, with the durable settings the product asks for. */
export async function openStage(): Promise<{ stage: Stage; release: () => Promise<void> }> {
  const dir = await mkdtemp(join(tmpdir(), 'flagmeter-bench-'))
  const postgres = await openEmbeddedPostgres({ dir })
  const command = findServer()
  const valkey = command ? await startNativeValkey(command) : undefined
  const database = openDatabase({ databaseUrl: postgres.url, databasePoolSize: 8 }, 10 * 60 * 1000)
  await migrate(database)
  await seed(database)
  const running = new Set<Running>()
  const stores: Record<string, string> = { DATABASE_URL: postgres.url, LOG_LEVEL: 'warn' }

  async function start(args: string[], env: Record<string, string>, probe?: string): Promise<Running> {
    const port = await freePort()
    const child = spawn(process.execPath, args, {
      cwd: root,
      env: { PATH: process.env.PATH, ...stores, ...env, PORT: String(port) },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const url = `http://127.0.0.1:${port}`
    const process_: Running = {
      url,
      pid: child.pid!,
      stop: () => stop(child).then(() => void running.delete(process_)),
    }
    running.add(process_)
    if (probe !== undefined) await answering(url + probe)
    return process_
  }

  const cli = 'dist/cli/main.js'
  const stage: Stage = {
    databaseUrl: postgres.url,
    database,
    valkey,
    serve: (handlers, env = {}) => start([cli, 'serve', 'health-live', ...handlers], env, '/api/health/live'),
    work: (env = {}) => start([cli, 'worker', 'rollup'], env),
    bare: (status, answer) => start(['bench/_bare_server.mjs', String(status), answer], {}, '/'),
    async run(args, env = {}) {
      const child = spawn(process.execPath, [cli, ...args], {
        cwd: root,
        env: { PATH: process.env.PATH, ...stores, ...env },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let out = ''
      child.stdout.on('data', (data: Buffer) => (out += data.toString()))
      const [code] = (await once(child, 'close')) as [number]
      if (code !== 0) throw new Error(`flagmeter ${args.join(' ')} ended with ${code}`)
      return out
    },
  }
  return {
    stage,
    async release() {
      for (const process_ of running) await process_.stop()
      await database.end()
      await valkey?.release()
      await postgres.release()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

async function answering(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`nothing answers at ${url}`)
}
