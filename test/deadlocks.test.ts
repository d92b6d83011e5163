// Everything that locks counters, concurrently on the same few tenants, with lapsing reservations. A retry would hide
// a deadlock behind a second's wait, so the test looks at the database's own deadlock count.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import type { Database } from '../lib/store/connection.ts'
import { isTooSlow, isUnavailable } from '../lib/store/outage.ts'
import { recordEvents } from '../lib/events/record.ts'
import { ownId } from '../lib/events/event_id.ts'
import { type Wanted, openReservations } from '../lib/quota/reserve.ts'
import { createQuota } from '../lib/admin/quotas.ts'
import { createContext } from './_context.ts'
import { count } from './_counts.ts'

const PAIRS = count(150, 1_500)
const HOUR = 3_600_000
const uuid = () => crypto.randomUUID()
const any = <T>(list: T[]): T => list[Math.floor(Math.random() * list.length)]!

const deadlocks = async (database: Database) =>
  (await database`select deadlocks from pg_stat_database where datname = current_database()`)[0]!.deadlocks

test('concurrent events and reservations being made, settled, released and lapsing never deadlock', async () => {
  const ctx = await createContext({ DATABASE_POOL_SIZE: '24' })
  const tenants = (await ctx.database<{ id: string }[]>`select id from tenants`).map(({ id }) => id)
  for (const tenantId of tenants)
    for (const period of ['hour', 'day'] as const)
      for (const feature of ['a', 'b'])
        await createQuota(ctx.database, 'test', tenantId, { feature, period, tokenLimit: 1e9 })
  await ctx.database`update tenants set monthly_quota = 1000000000000`
  await ctx.database`update quotas set counts_from = '-infinity'`
  const now = Date.now()
  const at = () => now - Math.floor(Math.random() * 6) * HOUR
  const held: Wanted[] = []
  const many = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make)
  const wanted = (): Wanted => ({
    tenantId: any(tenants),
    id: ownId('reservation'),
    key: uuid(),
    feature: any(['a', 'b']),
    tokens: 1,
    createdAt: at(),
    ttlSeconds: 1,
  })
  const event = () => ({
    tenantId: any(tenants),
    id: uuid(),
    feature: any(['a', 'b', 'c']),
    tokens: 1,
    createdAt: at(),
    receivedAt: now,
  })
  const failures: unknown[] = []
  let pairs = 0
  const loop = async (work: () => Promise<unknown>) => {
    // A time-out on a busy machine is not a failure: the outcome is checked at the end.
    while (pairs < PAIRS)
      await work().catch((error: unknown) => isTooSlow(error) || isUnavailable(error) || failures.push(error))
  }
  await Promise.all([
    ...many(4, () => {
      const reservations = openReservations(ctx) // a separate process
      return loop(async () => {
        const group = many(8, () => (Math.random() < 0.2 && held.length > 0 ? any(held) : wanted()))
        await Promise.all(group.map((one) => reservations.reserve(one)))
        held.push(...group)
        if (held.length > 400) held.splice(0, 200)
        await Promise.all(many(2, () => reservations.release(held.length > 0 ? any(held) : wanted())))
      })
    }),
    ...many(6, () =>
      loop(async () => {
        const settlements = many(3, () => held.length > 0 && { ...any(held), receivedAt: now, settles: true }).filter(
          (settlement) => settlement !== false,
        )
        await recordEvents(ctx, [...many(12, event), ...settlements])
        pairs++
      }),
    ),
    loop(async () => {
      await ctx.database`select lapse_reservations(50)`
      await sleep(20)
    }),
    loop(async () => {
      await ctx.database`delete from usage_periods where (total_tokens, event_count, reserved_tokens) = (0, 0, 0)`
      await sleep(50)
    }),
  ])
  expect(failures).toEqual([])
  expect(pairs).toBeGreaterThan(count(0, 50))
  expect(await deadlocks(ctx.database)).toBe(0)
  expect(await verify(ctx.database)).toEqual([])
}, 300_000)
