import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { ensureAdminKey } from '../../cli/_admin_key.ts'
import { seed } from '../../cli/seed.ts'
import { parseConfig } from '../../lib/config.ts'
import { type Database, openDatabase } from '../../lib/store/connection.ts'
import { newKey } from '../../lib/auth/key.ts'
import type { Random } from '../_random.ts'
import { type NativeValkey, startNativeValkey } from '../_valkey.ts'
import type { Load } from './_client.ts'
import { fixedPort } from './_port.ts'
import { type Process, startProcess } from './_process.ts'
import type { Stage } from './_stage.ts'

/** How long an entry stays with a silent worker before another takes it over. */
export const CLAIM_IDLE_MS = 300

/** One whole pipeline, with its own database and Valkey. */
export interface Rig {
  random: Random
  database: Database
  /** A client of the Valkey, bypassing every proxy. */
  redis: Redis
  valkeyPort: number
  valkeyDir: string
  /** What the client needs to know. */
  load: Load
  /** Faults injected so far. */
  faults: number
  /** Errors that no figure shows. */
  wrong: string[]
  ledgerFile: string
  /** Remarks in addition to the figures. */
  notes: string[]
  /** Starts an API process, on the same port every time, and waits until it answers. */
  serve(env?: Record<string, string>, index?: number): Promise<Process>
  /** Starts a worker; PostgreSQL sees it by its name. */
  work(consumers: string[], env?: Record<string, string>, name?: string): Process
  killValkey(): Promise<void>
  startValkey(): Promise<void>
  /** What else is released with it. */
  releases: (() => void)[]
  release(): Promise<void>
  /** After its release: removes database, ledger and logs. Over hours they would fill the disk. */
  discard(): Promise<void>
}

interface Options {
  name: string
  random: Random
  /** The folder of the bundles. */
  bundles: string
  valkey?: { settings?: Record<string, string>; env?: Record<string, string> }
  tenants?: Parameters<typeof seed>[1]
}

const TENANTS = Array.from({ length: 5 }, (_, i) => ({ name: `tenant-${i}`, monthlyQuota: 1_000_000_000 }))

/** Opens a rig: a migrated database with tenants, an empty Valkey; no process of the product yet. */
export async function openRig(
  stage: Stage,
  { name, random, bundles, valkey = {}, tenants = TENANTS }: Options,
): Promise<Rig> {
  const databaseUrl = await stage.createDatabase(name)
  const logFile = join(stage.dir, `${name}.log`)
  const processes = new Set<Process>()
  const valkeyDir = join(stage.dir, `${name}-valkey`)
  await mkdir(valkeyDir)
  const given = { ...valkey, dir: valkeyDir, port: await fixedPort(random) }
  let server: NativeValkey = await startNativeValkey(stage.valkeyCommand, given)
  const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
  redis.on('error', () => {})
  const apiPorts = [await fixedPort(random), await fixedPort(random)]
  const database = openDatabase({ databaseUrl, databasePoolSize: 4 }, 60_000)
  const key = newKey()
  const base = {
    DATABASE_URL: databaseUrl,
    VALKEY_URL: server.url,
    VALKEY_TIMEOUT_MS: '300',
    CLAIM_IDLE_MS: String(CLAIM_IDLE_MS),
    LIMIT_REQUESTS: '0',
    LIMIT_EVENTS: '0',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    DELIVERY_RETRY_SECONDS: Array.from({ length: 100 }, () => 1).join(','),
    LOG_LEVEL: 'info',
  }

  /** The name that PostgreSQL shows for it. */
  const named = (as: string) => ({ DATABASE_URL: `${databaseUrl}?application_name=${as}` })

  function start(args: string[], env: Record<string, string>): Process {
    const started = startProcess(bundles, args, { ...base, ...env }, logFile)
    processes.add(started)
    void watch(started, args)
    return started
  }

  async function watch(started: Process, args: string[]): Promise<void> {
    const { code, signal } = await started.ended
    processes.delete(started)
    if (!started.killed) rig.wrong.push(`flagmeter ${args.join(' ')} ended by itself (${code ?? signal})`)
  }

  const rig: Rig = {
    random,
    database,
    redis,
    valkeyPort: given.port,
    valkeyDir,
    load: {
      urls: [],
      key,
      tenants: [],
      features: 3,
      senders: 3,
      maxBatch: 20,
      maxTokens: 1000,
      pauseMs: 5,
      spreadMs: 3_600_000,
    },
    faults: 0,
    wrong: [],
    notes: [],
    releases: [],
    ledgerFile: join(stage.dir, `${name}.ledger`),
    async serve(env = {}, index = 0) {
      const url = `http://127.0.0.1:${apiPorts[index]}`
      const api = start(['serve'], { ...named('api'), ...env, PORT: String(apiPorts[index]) })
      for (let isUp = false; !isUp; await sleep(20)) {
        if (api.gone) throw new Error('the API does not start')
        isUp = await fetch(`${url}/api/health/live`).then(
          ({ ok }) => ok,
          () => false,
        )
      }
      rig.load.urls[index] = url
      return api
    },
    work: (consumers, env = {}, workerName = 'worker') =>
      start(['worker', ...consumers], { ...named(workerName), ...env }),
    killValkey: () => server.release(), // also if it has exited; its folder stays
    async startValkey() {
      server = await startNativeValkey(stage.valkeyCommand, given)
      if (redis.status !== 'ready') await once(redis, 'ready')
    },
    async release() {
      stage.rigs.delete(rig)
      for (const running of processes) await running.kill()
      for (const end of rig.releases) end()
      redis.disconnect()
      await server.release()
      await database.end({ timeout: 1 })
    },
    async discard() {
      await stage.dropDatabase(name)
      for (const path of [valkeyDir, logFile, rig.ledgerFile]) await rm(path, { recursive: true, force: true })
    },
  }
  stage.rigs.add(rig)
  try {
    const migrated = startProcess(bundles, ['migrate'], base, logFile)
    if ((await migrated.ended).code !== 0) throw new Error(`migrate failed, see ${logFile}`)
    await seed(database, tenants)
    await ensureAdminKey(database, { ...parseConfig({}), adminKey: key })
    rig.load.tenants = await database`select id, name from tenants order by name`
    return rig
  } catch (error) {
    await rig.release()
    throw error
  }
}
