import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { type EmbeddedPostgres, openEmbeddedPostgres } from '../../lib/embedded/postgres.ts'
import { findServer } from '../_valkey.ts'
import { openRelay } from './_relay.ts'

/** Shared by all experiments. */
export interface Stage {
  /** Ledgers, logs and data. */
  dir: string
  /** valkey-server or redis-server. */
  valkeyCommand: string
  /** Creates a database and returns its URL, which stays the same when the server restarts. */
  createDatabase(name: string): Promise<string>
  dropDatabase(name: string): Promise<void>
  /** Stops PostgreSQL at once, as `pg_ctl stop -m immediate` does: no checkpoint. */
  crashPostgres(): Promise<void>
  startPostgres(): Promise<void>
  /** Stops it cleanly, runs this on its data folder, and starts it again. */
  whilePostgresRests(work: (data: string) => Promise<void>): Promise<void>
  /** SIGSTOP of the postmaster and all its children: it accepts connections but answers nothing. Linux only. */
  freezePostgres(): Promise<void>
  /** Wakes it. It continues with what was sent meanwhile. */
  thawPostgres(): void
  /** The statements it is running. */
  rigs: Set<{ release(): Promise<void> }>
  /** Stops everything; removes the folder unless it is to be kept. */
  release(options?: { keep: boolean }): Promise<void>
}

/** Starts a PostgreSQL with its defaults, fsync and all, in its own folder. */
export async function openStage(): Promise<Stage> {
  const valkeyCommand = findServer()
  if (valkeyCommand === undefined) throw new Error('this needs valkey-server or redis-server on the PATH')
  const dir = await mkdtemp(join(tmpdir(), 'flagmeter-faults-'))
  const relay = await openRelay()
  const rigs: Stage['rigs'] = new Set()
  const data = join(dir, 'postgres')
  const frozen: number[] = []
  let server: EmbeddedPostgres | undefined

  async function startPostgres(): Promise<void> {
    server = await openEmbeddedPostgres({ dir, settings: { max_connections: '300' } })
    relay.target = Number(new URL(server.url).port)
  }

  const postmaster = async (): Promise<number> =>
    Number.parseInt(await readFile(join(data, 'postmaster.pid'), 'utf8'), 10)

  async function crashPostgres(): Promise<void> {
    relay.target = undefined
    const pid = await postmaster().catch(() => undefined) // it may have exited
    if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGQUIT')
    while (pid !== undefined && isAlive(pid)) await sleep(10)
  }

  async function whilePostgresRests(work: (data: string) => Promise<void>): Promise<void> {
    relay.target = undefined
    await server?.release()
    await work(data)
    await startPostgres()
  }

  async function freezePostgres(): Promise<void> {
    const pid = await postmaster()
    process.kill(pid, 'SIGSTOP')
    // Once stopped, it starts no more of them.
    const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ').map(Number)
    frozen.push(pid, ...children)
    for (const child of children) process.kill(child, 'SIGSTOP')
  }

  function thawPostgres(): void {
    for (const pid of frozen.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGCONT')
  }

  async function administer(work: (admin: postgres.Sql) => Promise<unknown>): Promise<URL> {
    const url = new URL(server!.url)
    url.port = String(relay.port)
    const admin = postgres(url.href, { max: 1, onnotice: () => {} })
    try {
      await work(admin)
      return url
    } finally {
      await admin.end()
    }
  }

  async function createDatabase(name: string): Promise<string> {
    const url = await administer((admin) => admin`create database ${admin(name)}`)
    url.pathname = `/${name}`
    return url.href
  }

  const dropDatabase = async (name: string): Promise<void> =>
    void (await administer((admin) => admin`drop database ${admin(name)} with (force)`))

  await startPostgres()
  return {
    dir,
    valkeyCommand,
    createDatabase,
    dropDatabase,
    crashPostgres,
    startPostgres,
    whilePostgresRests,
    freezePostgres,
    thawPostgres,
    rigs,
    async release({ keep } = { keep: false }) {
      thawPostgres()
      for (const rig of rigs) await rig.release()
      relay.release()
      await server?.release()
      if (!keep) await rm(dir, { recursive: true, force: true })
    },
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
