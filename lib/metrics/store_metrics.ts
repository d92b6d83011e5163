import { statfs } from 'node:fs/promises'
import type { Config } from '../config.ts'
import { query, statementsInHand } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import type { Metrics } from './metrics.ts'
import { openSharedLook } from './shared_look.ts'
import { loadSql } from '../store/sql.ts'
import { entryTime, oldestEntryAt } from '../events/stream.ts'
import type { Valkey } from '../store/valkey.ts'
import { inTime } from '../time_out.ts'

/** A store that takes longer is left out: a scrape must not hang with it. */
const TIMEOUT_MS = 1_000

/** However many ask: a look at the stores reads the size of the database from its files. */
const FRESH_MS = 250

interface Needs {
  config: Pick<Config, 'databasePoolSize' | 'queueName'>
  metrics: Metrics
  database: Database
  valkey?: Valkey
  clock: () => number
}

/** The metrics in the Prometheus text format, those of the stores as they were a moment ago. */
export const renderMetrics: (ctx: Needs) => Promise<string> = openSharedLook(render, FRESH_MS)

async function render(ctx: Needs): Promise<string> {
  const { metrics, valkey } = ctx
  readPool(ctx)
  await Promise.all([
    readDatabase(ctx),
    valkey && readStream(ctx, valkey).catch(() => forgetStream(ctx)),
    valkey && readMemory(ctx, valkey).catch(() => forget(metrics.valkeyBytes, metrics.valkeyLimitBytes)),
    readDisk(ctx),
  ])
  if (!valkey) {
    forgetStream(ctx)
    forget(metrics.valkeyBytes, metrics.valkeyLimitBytes, metrics.valkeyUp)
  }
  return await metrics.registry.metrics()
}

function readPool({ metrics, database, config }: Needs): void {
  const inHand = statementsInHand(database)
  metrics.connectionsLimit.set(config.databasePoolSize)
  metrics.connectionsUsed.set(Math.min(inHand, config.databasePoolSize))
  metrics.statementsWaiting.set(Math.max(inHand - config.databasePoolSize, 0))
}

async function readDatabase({ metrics, database }: Needs): Promise<void> {
  try {
    const [row] = await query<{ bytes: number }>(database, loadSql('queries/database_size'), [], TIMEOUT_MS)
    metrics.databaseBytes.set(row!.bytes)
    metrics.databaseUp.set(1)
  } catch {
    forget(metrics.databaseBytes)
    metrics.databaseUp.set(0)
  }
}

/** What is recorded is deleted, so what the stream holds is what waits; and what is not pending was not read yet. */
async function readStream({ metrics, config, clock }: Needs, valkey: Valkey): Promise<void> {
  const key = config.queueName
  const [length, oldestAt, groups] = await answerOf(
    Promise.all([valkey.xlen(key), oldestEntryAt(valkey, key), groupsOf(valkey, key)]),
  )
  const age = (at: number | undefined) => (at === undefined ? 0 : Math.max(0, clock() - at) / 1000)
  metrics.streamEntries.set(length)
  metrics.streamOldestSeconds.set(age(oldestAt))
  for (const group of groups) {
    const [pending, oldest] = (await answerOf(valkey.xpending(key, group))) as [number, string | null]
    metrics.streamLag.set({ group }, Math.max(0, length - pending))
    metrics.streamPending.set({ group }, pending)
    metrics.streamPendingSeconds.set({ group }, age(oldest === null ? undefined : entryTime(oldest)))
  }
}

/** The groups by name; none while there is no stream. */
async function groupsOf(valkey: Valkey, key: string): Promise<string[]> {
  const rows = (await valkey.xinfo('GROUPS', key).catch((error: Error) => {
    if (error.message.includes('no such key')) return []
    throw error
  })) as unknown[][]
  return rows.map((row) => String(row[row.indexOf('name') + 1]))
}

async function readMemory({ metrics }: Needs, valkey: Valkey): Promise<void> {
  const info = await answerOf(valkey.info('memory'))
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0)
  metrics.valkeyBytes.set(field('used_memory'))
  metrics.valkeyLimitBytes.set(field('maxmemory'))
}

/** In a container this is the disk of the engine, where its volumes are too. */
async function readDisk({ metrics }: Needs): Promise<void> {
  const { bavail, blocks, bsize } = await statfs('.')
  metrics.diskFreeBytes.set(bavail * bsize)
  metrics.diskBytes.set(blocks * bsize)
}

function forgetStream({ metrics }: Needs): void {
  forget(metrics.streamEntries, metrics.streamOldestSeconds)
  for (const gauge of [metrics.streamLag, metrics.streamPending, metrics.streamPendingSeconds]) gauge.reset()
}

function forget(...gauges: { remove(): void }[]): void {
  for (const gauge of gauges) gauge.remove()
}

const answerOf = <T>(work: Promise<T>): Promise<T> => inTime(work, TIMEOUT_MS, () => new Error('late'))
