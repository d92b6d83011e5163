import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { BLOCK_MS, type Valkey, openReader } from '../store/valkey.ts'

/** An entry of a Valkey stream: its id and its payload. */
export interface StreamEntry {
  id: string
  payload: string
  /** The ids of the requests that brought it, with commas between them; empty when that is not known. */
  requestIds: string
}

/** One loop's view of a stream, as one consumer of its group. */
export interface Stream {
  /** The next messages: entries of dead consumers if there are any, else new ones; none after a second without any. */
  read(options: { block: boolean }): Promise<StreamEntry[]>
  /** Acknowledges and deletes. A failure is only logged: what stays is claimed later, and counts once all the same. */
  acknowledge(messages: StreamEntry[]): Promise<void>
  release(): Promise<void>
}

/**
 * In one step. A worker killed between two would leave an entry that is acknowledged, so that nobody claims it, and
 * stays in the stream forever: 49 of 50 kills there did. Not MULTI: a full Valkey refuses to queue, and only
 * acknowledging frees memory.
 */
const ACKNOWLEDGE = `
redis.call('XACK', KEYS[1], unpack(ARGV))
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))`

/**
 * A Valkey whose memory is full refuses to create a group, and without one nobody would ever make room in it again.
 * Scripts may have the flag since Redis 7; before, memory must be raised by hand.
 */
const CREATE_GROUP_WHEN_FULL = `#!lua flags=allow-oom
return redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')`

/** How far the clocks of Valkey, of a server and of PostgreSQL may be apart. */
const CLOCK_SKEW_MS = 5_000

type RawEntry = [id: string, fields: string[] | null]

/** Joins the consumer's group on the stream `queueName`. Only a loop that `claims` takes over from dead consumers. */
export async function openStream(
  ctx: { config: Pick<Config, 'queueName' | 'claimIdleMs'>; log: Logger; valkey?: Valkey },
  { group, batchSize }: { group: string; batchSize: number },
  { claims }: { claims: boolean },
): Promise<Stream> {
  const { valkey, log } = ctx
  const { queueName: key, claimIdleMs } = ctx.config
  if (!valkey) throw new Error('a stream consumer needs VALKEY_URL')
  const name = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`
  const reader = await openReader(valkey, log)
  /** On the monotonic clock: the wall's may step back. */
  let claimAt = 0
  let cursor = '0-0'

  async function read({ block }: { block: boolean }): Promise<StreamEntry[]> {
    try {
      const claimed = claims && performance.now() >= claimAt ? await claim() : []
      return claimed.length > 0 ? claimed : await readNew(block)
    } catch (error) {
      if (!String(error).includes('NOGROUP')) throw error
      await createGroup()
      return await readNew(block)
    }
  }

  async function readNew(block: boolean): Promise<StreamEntry[]> {
    const answer = await (block
      ? reader.xreadgroup('GROUP', group, name, 'COUNT', batchSize, 'BLOCK', BLOCK_MS, 'STREAMS', key, '>')
      : reader.xreadgroup('GROUP', group, name, 'COUNT', batchSize, 'STREAMS', key, '>'))
    return toStreamEntries(answer?.[0]?.[1] ?? [])
  }

  /** Takes over entries that their consumer has held for too long: it died, or hangs. */
  async function claim(): Promise<StreamEntry[]> {
    const [next, entries] = (await reader.xautoclaim(key, group, name, claimIdleMs, cursor, 'COUNT', batchSize)) as [
      string,
      RawEntry[],
    ]
    cursor = next
    if (next === '0-0') claimAt = performance.now() + claimIdleMs / 3
    if (entries.length > 0) log.info({ entries: entries.length }, 'took over entries of a dead consumer')
    return toStreamEntries(entries)
  }

  /** From the start of the stream, never from its end: a lost group must not cost the entries that wait. */
  async function createGroup(): Promise<void> {
    log.info({ group }, 'creating the consumer group')
    await reader
      .xgroup('CREATE', key, group, '0', 'MKSTREAM')
      .catch((error: Error) => {
        if (!error.message.includes('OOM')) throw error
        return reader.eval(CREATE_GROUP_WHEN_FULL, 1, key, group)
      })
      .catch((error: Error) => {
        if (!error.message.includes('BUSYGROUP')) throw error
      })
  }

  async function acknowledge(messages: StreamEntry[]): Promise<void> {
    const ids = messages.map((message) => message.id)
    try {
      await valkey!.eval(ACKNOWLEDGE, 1, key, group, ...ids)
    } catch (error) {
      log.warn(
        { reason: (error as Error).message },
        'could not acknowledge; the entries will be claimed and counted once',
      )
    }
  }

  async function release(): Promise<void> {
    try {
      // A consumer that holds nothing leaves the group. One that does must stay: deleting it would drop its entries.
      const pending = await reader.xpending(key, group, '-', '+', 1, name)
      if (pending.length === 0) await reader.xgroup('DELCONSUMER', key, group, name)
    } catch {
      // Valkey is away: the name stays behind, which costs a few bytes.
    }
    reader.disconnect()
  }

  return { read, acknowledge, release }
}

/** An entry that was deleted while pending has no fields: nothing is left to record. A foreign one is kept whole. */
const toStreamEntries = (entries: RawEntry[]): StreamEntry[] =>
  entries.map(([id, fields]) => ({
    id,
    payload: payloadOf(fields),
    requestIds: fields?.[2] === 'requests' ? (fields[3] ?? '') : '',
  }))

function payloadOf(fields: string[] | null): string {
  if (fields === null) return '[]'
  const [name, payload] = fields
  return name === 'events' && payload !== undefined ? payload : JSON.stringify({ fields })
}

/** When a settlement last went into the stream. */
const settlingKey = (key: string): string => `${key}:settling`

/** Notes that a settlement goes into the stream now: it does so only while PostgreSQL is away. */
export const noteSettling = (valkey: Valkey, key: string, now: number): Promise<unknown> =>
  valkey.set(settlingKey(key), String(now))

/**
 * Since when settlements may wait in the stream that are not counted yet, in milliseconds since 1970; undefined: none
 * does. What came before the oldest entry is counted.
 */
export async function settlingSince(valkey: Valkey, key: string): Promise<number | undefined> {
  const [last, oldest] = await Promise.all([valkey.get(settlingKey(key)), oldestEntryAt(valkey, key)])
  return last === null || oldest === undefined || oldest - CLOCK_SKEW_MS > Number(last)
    ? undefined
    : oldest - CLOCK_SKEW_MS
}

/** When the oldest entry that is not recorded yet came, in milliseconds since 1970; undefined: there is none. */
export async function oldestEntryAt(valkey: Valkey, key: string): Promise<number | undefined> {
  const [first] = await valkey.xrange(key, '-', '+', 'COUNT', 1)
  return first && entryTime(first[0])
}

/** When an entry came: its id begins with the milliseconds since 1970. */
export const entryTime = (id: string): number => Number.parseInt(id, 10)
