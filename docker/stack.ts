// `npm run stack`: the parts of compose.yml as plain processes, for those without Docker. The same bundles with the
// same commands and environment, a real PostgreSQL, a real Valkey or Redis, and Prometheus if it is on the PATH.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { keepEmbeddedPostgres } from '../lib/embedded/keeper.ts'
import { findServer, freePort, isFree, startNativeValkey } from '../test/_valkey.ts'
import { type Environment, readService } from './_compose.ts'
import { startPrometheus } from './_prometheus.ts'

const root = join(import.meta.dirname, '..')
const dir = resolve(process.env.FLAGMETER_DIR ?? join(root, '.flagmeter'), 'stack')
const apiPort = process.env.API_PORT ?? '3000'
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop.abort(signal))
const release: (() => Promise<unknown>)[] = []

try {
  await main()
} catch (error) {
  console.error(`stack: ${(error as Error).message}`)
  process.exitCode = 1
} finally {
  for (const step of release.toReversed()) await step()
}

async function main(): Promise<void> {
  if (!(await isFree(Number(apiPort)))) throw new Error(`port ${apiPort} is taken: set API_PORT to another`)
  await mkdir(join(dir, 'valkey'), { recursive: true })
  const stores = { DATABASE_URL: await openDatabase(), VALKEY_URL: await openStream() }
  const local = { ...stores, HOST: '127.0.0.1', PORT: apiPort, FLAGMETER_DIR: dir }
  const [migrated] = (await once(await start('migrate', local), 'exit')) as [number | null]
  if (migrated !== 0) throw new Error('migrate failed')
  const ports = { api: await freePort(), worker: await freePort() }
  for (const [service, port] of Object.entries(ports))
    await keepRunning(service, { ...local, METRICS_PORT: String(port) })
  const prometheus = await startPrometheus(join(dir, 'prometheus'), ports)
  if (prometheus) release.push(prometheus.release)

  const url = `http://127.0.0.1:${apiPort}`
  for (let tries = 0; !(await isReady(url)); tries++) {
    if (tries === 300) throw new Error(`nothing is ready at ${url}`)
    if (stop.signal.aborted) return
    await sleep(100)
  }
  // The URLs contain passwords, so they go to a private file, not to the terminal.
  const settings = { FLAGMETER_DIR: dir, FLAGMETER_URL: url, ...stores }
  const lines = Object.entries(settings).map(([name, value]) => `export ${name}='${value}'\n`)
  const file = join(dir, 'settings.sh')
  await rm(file, { force: true })
  await writeFile(file, lines.join(''), { mode: 0o600 })
  const metricsPorts = Object.values(ports).join(' and ')
  const prometheusAt = prometheus ? `, Prometheus ${prometheus.url}` : ''
  console.log(`
The stack is running: API ${url}, metrics on ports ${metricsPorts}${prometheusAt}.
Commands find it with:

  . '${file}'
  npx flagmeter seed && npx flagmeter load --rps 50

Stop with Ctrl-C. The data stays.
`)
  if (!stop.signal.aborted) await once(stop.signal, 'abort')
}

async function openDatabase(): Promise<string> {
  if (process.env.DATABASE_URL) return process.env.DATABASE_URL
  const server = await keepEmbeddedPostgres({
    dir,
    onRestart: (reason) => console.error(`stack: the database is away, starting it again: ${reason}`),
    onBack: () => console.error('stack: the database is back'),
    onExit: (reason) => stop.abort(reason),
  })
  release.push(() => server.release())
  return server.url
}

async function openStream(): Promise<string> {
  if (process.env.VALKEY_URL) return process.env.VALKEY_URL
  const command = findServer()
  if (!command) throw new Error('neither valkey-server nor redis-server is on the PATH: install one, or set VALKEY_URL')
  const server = await startNativeValkey(command, { dir: join(dir, 'valkey') })
  release.push(() => server.release())
  return server.url
}

/** Starts a service of the compose file in its own process group: Ctrl-C reaches only us, and we stop it first. */
async function start(service: string, local: Environment) {
  const { command, environment } = await readService(join(root, 'compose.yml'), service, local)
  return spawn(process.execPath, [join(root, 'dist/cli/main.js'), ...command], {
    cwd: root,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
}

/** Like the engine with `restart: unless-stopped`. */
async function keepRunning(service: string, local: Environment): Promise<void> {
  let child = await start(service, local)
  let stopping = false
  const running = (async () => {
    for (;;) {
      const [code] = (await once(child, 'exit')) as [number | null]
      if (stopping) return
      console.error(`stack: ${service} ended (${code ?? 'killed'}); starting it again`)
      await sleep(1_000)
      child = await start(service, local)
    }
  })()
  release.push(async () => {
    stopping = true
    child.kill('SIGINT')
    await running
  })
}

async function isReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/api/health`).catch(() => undefined)
  return answer?.ok ?? false
}
