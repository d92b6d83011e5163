import { v4 as uuidv4, v7 as uuidv7 } from 'uuid'
import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import type { Event } from '../lib/events/event.ts'
import { recordEvents } from '../lib/events/record.ts'
import { pick, tenantIds, total } from './_record.ts'
import { createContext } from './_context.ts'
import type { Context } from '../lib/context.ts'

const transactions = async (ctx: Context): Promise<number> => {
  const { values } = await ctx.metrics.recordSeconds.get()
  return values.find(({ metricName }) => metricName?.endsWith('_count'))?.value ?? 0
}

test('events of deleted tenants are found in one query, and the others count', async () => {
  const ctx = await createContext()
  const [tenantId] = await tenantIds(ctx)
  const now = Date.now()
  const gone = Array.from({ length: 50 }, () => uuidv4())
  const events = Array.from({ length: 3_000 }, (_, i) => ({
    tenantId: i % 3 === 0 ? tenantId! : pick(gone),
    id: uuidv7(),
    feature: 'x',
    tokens: 1,
    createdAt: now,
    receivedAt: now,
  }))
  const { poison } = await recordEvents(ctx, events)
  expect([poison.length, await total(ctx, 'rollups'), await transactions(ctx)]).toEqual([2_000, 1_000, 2])
  for (const { event, sqlstate, reason } of poison.slice(0, 10))
    expect([sqlstate, reason]).toEqual(['23503', `tenant ${event.tenantId} does not exist`])
  const only = events.filter(({ tenantId: id }) => id !== tenantId)
  expect((await recordEvents(ctx, only)).poison).toHaveLength(2_000)
  expect(await transactions(ctx)).toBe(3)
})

test('poison costs a bounded number of transactions, and affects only its own tenant', async () => {
  const ctx = await createContext()
  const [first, second, third] = (await tenantIds(ctx)).toSorted()
  await ctx.database.unsafe(`
    create function trip() returns trigger language plpgsql as $$ begin
      if new.feature = 'bad' then raise numeric_value_out_of_range; end if;
      return new;
    end $$;
    create trigger trip before insert on events for each row execute function trip()`)
  const now = Date.now()
  const make = (tenantId: string, feature: string, count: number): Event[] =>
    Array.from({ length: count }, () => ({
      tenantId,
      id: uuidv7(),
      feature,
      tokens: 1,
      createdAt: now,
      receivedAt: now,
    }))
  // One in a thousand is found, and the others are unaffected.
  const rare = [
    ...make(first!, 'x', 500),
    ...make(second!, 'x', 300),
    ...make(second!, 'bad', 1),
    ...make(first!, 'x', 199),
  ]
  expect((await recordEvents(ctx, rare)).poison.map(({ event }) => event.feature)).toEqual(['bad'])
  expect(await total(ctx, 'rollups')).toBe(999)
  // All events of one tenant are bad: the others' are still recorded.
  const before = await transactions(ctx)
  const many = [...make(first!, 'x', 500), ...make(second!, 'bad', 1_000), ...make(third!, 'x', 500)]
  expect((await recordEvents(ctx, many)).poison).toHaveLength(1_000)
  expect(await total(ctx, 'rollups')).toBe(1_999)
  expect((await transactions(ctx)) - before).toBeLessThan(100)
  expect(await verify(ctx.database)).toEqual([])
})

test('an internal error becomes poison only after several tries; an outage never does', async () => {
  const ctx = await createContext()
  const [tenantId] = await tenantIds(ctx)
  const now = Date.now()
  const event = { tenantId: tenantId!, id: uuidv7(), feature: 'x', tokens: 1, createdAt: 8.64e15 + 1, receivedAt: now }
  const good = { ...event, id: uuidv7(), createdAt: now }
  await expect(recordEvents(ctx, [event, good])).rejects.toThrow(RangeError)
  const { poison } = await recordEvents(ctx, [event, good], { isLastTry: true })
  expect(poison).toMatchObject([{ event: { id: event.id }, sqlstate: '', reason: 'Invalid time value' }])
  expect(await total(ctx, 'rollups')).toBe(1)
  await ctx.database.end({ timeout: 0 })
  await expect(recordEvents(ctx, [good], { isLastTry: true })).rejects.toMatchObject({ code: 'CONNECTION_ENDED' })
})
