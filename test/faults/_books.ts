import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { verify } from '../../cli/verify.ts'
import type { Database } from '../../lib/store/connection.ts'
import { type Account, keyOf } from './_ledger.ts'

/** Differences between the books and the client's ledger. All must be 0. */
export interface Differences {
  /** L: accepted events that are not in `events`. */
  lost: number
  /** D: events counted in rollups minus events in `events`. */
  doubled: number
  /** T: tokens in rollups that differ from those sent, over every tenant, feature and minute. */
  tokens: number
  /** U: events in the books that nobody sent. */
  unsent: number
}

/** Events still in flight. */
export interface Open {
  stream: number
  pending: number
  outbox: number
}

/** Waits until nothing is in flight. Returns false if nothing changes for `patienceMs` before that. */
export async function becomesQuiet(database: Database, valkey: Redis, patienceMs: number): Promise<Open | undefined> {
  let last = ''
  for (let changedAt = Date.now(); Date.now() - changedAt < patienceMs;) {
    const open = await stillOpen(database, valkey)
    if (Object.values(open).every((count) => count === 0)) return undefined
    if (JSON.stringify(open) !== last) changedAt = Date.now()
    last = JSON.stringify(open)
    await sleep(50)
  }
  return await stillOpen(database, valkey)
}

async function stillOpen(database: Database, valkey: Redis): Promise<Open> {
  const stream = await valkey.xlen('events')
  // There is no group until the first worker starts.
  const [pending] = (await valkey.xpending('events', 'rollup').catch(() => [0])) as [number]
  const [row] = await database<{ open: number }[]>`
    select count(*)::int as open from deliveries where status in ('pending', 'sending')`
  return { stream, pending, outbox: row!.open }
}

/** Compares the books with a ledger. */
export async function compare(database: Database, { sent, accepted }: Account): Promise<Differences> {
  const events = await database<{ tenant_id: string; id: string }[]>`select tenant_id, id from events`
  const found = new Set(events.map(({ tenant_id: tenantId, id }) => keyOf({ tenantId, id })))
  const [rollups] = await database<{ counted: number }[]>`
    select coalesce(sum(event_count), 0)::bigint as counted from rollups`
  return {
    lost: [...accepted].filter((key) => !found.has(key)).length,
    doubled: rollups!.counted - found.size,
    tokens: await tokenDifference(database, { sent, accepted }),
    unsent: [...found].filter((key) => !sent.has(key)).length,
  }
}

/** Every event is accepted eventually, so the rollups must include them all. */
async function tokenDifference(database: Database, { sent }: Pick<Account, 'sent' | 'accepted'>): Promise<number> {
  const expected = new Map<string, number>()
  const add = (key: string, tokens: number) => expected.set(key, (expected.get(key) ?? 0) + tokens)
  for (const { tenantId, feature, createdAt, tokens } of sent.values())
    add(`${tenantId}/${feature}/${Math.floor(createdAt / 60_000)}`, tokens)
  const rows = await database<{ tenant_id: string; feature: string; minute: Date; total_tokens: number }[]>`
    select tenant_id, feature, minute, total_tokens from rollups`
  for (const { tenant_id: tenantId, feature, minute, total_tokens: tokens } of rows)
    add(`${tenantId}/${feature}/${minute.getTime() / 60_000}`, -tokens)
  return [...expected.values()].reduce((sum, tokens) => sum + Math.abs(tokens), 0)
}

/** Whether counters, rollups and events agree, as `flagmeter verify` checks it. */
export const countersDiffer = async (database: Database): Promise<number> => (await verify(database)).length
