import { once } from 'node:events'
import { Redis } from 'ioredis'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'

export type Valkey = Redis

/** Longest wait of a blocking read: a stopping process waits no longer than this for its reader. */
export const BLOCK_MS = 1_000

/**
 * Opens a connection that never keeps a command waiting: while it is down, commands fail at once; past
 * `valkeyTimeoutMs` their outcome counts as unknown. Nothing is resent after a reconnect: the sender decides.
 */
export async function openValkey(
  config: Pick<Config, 'valkeyTimeoutMs'> & { valkeyUrl: string },
  log: Logger,
): Promise<Valkey> {
  const valkey = new Redis(config.valkeyUrl, { ...shared, commandTimeout: config.valkeyTimeoutMs })
  logChanges(valkey, log)
  await readyOrLate(valkey)
  await warnUnlessDurable(valkey, log)
  return valkey
}

/** Opens the connection of a blocking reader, which answers late on purpose; a silent socket is given up in the end. */
export async function openReader(valkey: Valkey, log: Logger): Promise<Valkey> {
  const reader = valkey.duplicate({ commandTimeout: undefined, socketTimeout: BLOCK_MS + 5_000 })
  reader.on('error', (error: Error) => log.debug({ reason: error.message }, 'valkey reader'))
  return await readyOrLate(reader)
}

/**
 * Waits until the connection is ready; when that fails or takes long, the caller continues without, and it may come
 * later.
 */
async function readyOrLate(valkey: Valkey): Promise<Valkey> {
  const done = new AbortController()
  const either = { signal: AbortSignal.any([done.signal, AbortSignal.timeout(shared.connectTimeout)]) }
  await Promise.race([once(valkey, 'ready', either), once(valkey, 'close', either)]).catch(() => {})
  done.abort()
  return valkey
}

/** An accepted event is on disk only with these. */
const DURABLE = { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' }

/** A setting of the server that durability depends on. */
export interface DurabilitySetting {
  name: string
  wanted: string
  /** Undefined: the server hides it, as managed ones do. */
  value: string | undefined
}

/** Reads the settings that decide whether what Valkey accepts is on disk. */
export async function durabilitySettings(valkey: Valkey): Promise<DurabilitySetting[]> {
  return await Promise.all(
    Object.entries(DURABLE).map(async ([name, wanted]) => {
      const reply: unknown = await valkey.config('GET', name).catch(() => [])
      return { name, wanted, value: Array.isArray(reply) ? (reply[1] as string | undefined) : undefined }
    }),
  )
}

/** Warns when an accepted event could be lost with Valkey. */
async function warnUnlessDurable(valkey: Valkey, log: Logger): Promise<void> {
  for (const { name, wanted, value } of await durabilitySettings(valkey)) {
    if (value !== undefined && value !== wanted) {
      log.warn(`valkey has ${name} '${value}' instead of '${wanted}': accepted events may be lost with it`)
    }
  }
}

const shared = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 2_000,
  retryStrategy: (attempts: number) => Math.min(50 * 2 ** Math.min(attempts, 5), 1_000),
}

/** One line when the connection is lost and one when it is back, however often it is tried in between. */
function logChanges(valkey: Valkey, log: Logger): void {
  const address = `${valkey.options.host}:${valkey.options.port}`
  let down = false
  valkey.on('error', (error: Error) => {
    if (!down) log.warn({ reason: error.message }, `valkey at ${address} is down; events go to PostgreSQL`)
    down = true
  })
  valkey.on('ready', () => {
    if (down) log.info(`valkey at ${address} is back`)
    down = false
  })
}
