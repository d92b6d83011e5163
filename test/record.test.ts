import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { v4 as uuidv4, v7 as uuidv7 } from 'uuid'
import { expect, test } from 'vitest'
import { verify } from '../cli/verify.ts'
import prune from '../handlers/prune.ts'
import { openContext } from '../lib/context.ts'
import type { Event } from '../lib/events/event.ts'
import { migrate } from '../lib/store/migrate.ts'
import { recordEvents } from '../lib/events/record.ts'
import { sqlFolder } from '../lib/store/sql.ts'
import { createContext, createDatabase } from './_context.ts'
import { pick, tenantIds, total } from './_record.ts'
import { HOSTILE_TEXTS } from './_texts.ts'

test('concurrent batches that share ids in any order never deadlock and count each id once', async () => {
  const ctx = await createContext({ DATABASE_POOL_SIZE: '8' })
  const tenants = await tenantIds(ctx)
  const now = Date.now()
  const events: Event[] = Array.from({ length: 2_000 }, () => ({
    tenantId: pick(tenants),
    id: uuidv4(),
    feature: `feature-${Math.floor(Math.random() * 50)}`,
    tokens: 1 + Math.floor(Math.random() * 1000),
    createdAt: now - Math.floor(Math.random() * 3_600_000),
    receivedAt: now,
  }))
  const [before] =
    await ctx.database`select deadlocks::int as n from pg_stat_database where datname = current_database()`
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let round = 0; round < 6; round++) {
        const shuffled = [...events].sort(() => Math.random() - 0.5)
        await recordEvents(ctx, shuffled.slice(0, 1_500))
      }
    }),
  )
  await recordEvents(ctx, events)
  const expected = events.reduce((sum, event) => sum + event.tokens, 0)
  expect([await total(ctx, 'rollups'), await total(ctx, 'usage_periods'), await total(ctx, 'usage_features')]).toEqual([
    expected,
    expected,
    expected,
  ])
  await ctx.database`select pg_stat_force_next_flush()`
  const [after] =
    await ctx.database`select deadlocks::int as n from pg_stat_database where datname = current_database()`
  expect(after!.n - before!.n).toBe(0)
  expect(await verify(ctx.database)).toEqual([])
})

test('a feature is stored as given, even if its characters mean something in an array literal', async () => {
  const ctx = await createContext()
  const [tenantId] = await tenantIds(ctx)
  const now = Date.now()
  const events = HOSTILE_TEXTS.map((feature): Event => ({
    tenantId: tenantId!,
    id: uuidv4(),
    feature,
    tokens: 1,
    createdAt: now,
    receivedAt: now,
  }))
  expect((await recordEvents(ctx, events)).poison).toEqual([])
  for (const table of ['events', 'rollups', 'usage_features']) {
    const rows = await ctx.database<{ feature: string }[]>`select feature from ${ctx.database(table)}`
    expect({ table, features: rows.map(({ feature }) => feature).sort() }).toEqual({
      table,
      features: HOSTILE_TEXTS.toSorted(),
    })
  }
})

test('changed counters are returned with what is used, and the thresholds they crossed', async () => {
  const ctx = await createContext()
  const [tenantId] = await tenantIds(ctx)
  const now = Date.now()
  const event = (tokens: number): Event => ({
    tenantId: tenantId!,
    id: uuidv7(),
    feature: 'x',
    tokens,
    createdAt: now,
    receivedAt: now,
  })
  const first = event(700_000)
  await recordEvents(ctx, [first])
  const { counters } = await recordEvents(ctx, [first, event(100_000), event(500_000)])
  expect(counters).toMatchObject([
    { tenantId, quotaId: tenantId, tokenLimit: 1_000_000, used: 1_300_000, crossed: [80, 100] },
  ])
  expect((await recordEvents(ctx, [first])).counters).toEqual([])
})

test('exactly one of many concurrent batches sees a counter cross a threshold', async () => {
  const ctx = await createContext({ DATABASE_POOL_SIZE: '8' })
  const [tenantId] = await tenantIds(ctx)
  const now = Date.now()
  const results = await Promise.all(
    Array.from({ length: 100 }, () =>
      recordEvents(ctx, [
        { tenantId: tenantId!, id: uuidv7(), feature: 'x', tokens: 10_000, createdAt: now, receivedAt: now },
      ]),
    ),
  )
  const crossings = results.flatMap(({ counters }) => counters).filter(({ crossed }) => crossed.includes(80))
  expect(crossings).toHaveLength(1)
})

test('a stopping process stores the work in progress before it closes the database', async () => {
  const databaseUrl = await createDatabase()
  const witness = await createContext({ DATABASE_URL: databaseUrl })
  const [tenantId] = await tenantIds(witness)
  const { ctx, release } = await openContext({ ...witness.config })
  const now = Date.now()
  const event = { tenantId: tenantId!, feature: 'x', tokens: 1, createdAt: now, receivedAt: now }
  for (let i = 0; i < 5_000; i++) void ctx.intake.accept([{ ...event, id: uuidv7() }])
  await release()
  expect(await total(witness, 'rollups')).toBe(5_000)
})

test('verify finds differences in rollups, features and periods', async () => {
  const ctx = await createContext()
  const [tenantId] = await tenantIds(ctx)
  const now = Date.now()
  await recordEvents(ctx, [
    { tenantId: tenantId!, id: uuidv7(), feature: 'x', tokens: 10, createdAt: now, receivedAt: now },
  ])
  expect(await verify(ctx.database)).toEqual([])
  await ctx.database`update usage_periods set total_tokens = total_tokens + 1`
  expect(await verify(ctx.database)).toMatchObject([{ check: 'periods', expected_tokens: 10, actual_tokens: 11 }])
  await ctx.database`delete from usage_features`
  await ctx.database`update rollups set event_count = 2`
  expect((await verify(ctx.database)).map(({ check }) => check)).toEqual(['rollups', 'hours', 'features', 'periods'])
})

test('pruning deletes raw events past their retention, keeps the counts, and verify still passes', async () => {
  const now = Date.parse('2026-06-15T12:00:00Z')
  const ctx = await createContext({}, { clock: () => now })
  const [tenantId] = await tenantIds(ctx)
  const ages = [43, 42.5, 42.0001, 41.9, 30, 0]
  const events = ages.map((age) => ({
    tenantId: tenantId!,
    id: uuidv7(),
    feature: 'x',
    tokens: 1,
    createdAt: now - age * 86_400_000,
    receivedAt: now,
  }))
  await recordEvents(ctx, events)
  await prune.consume(ctx, new AbortController().signal)
  const [left] = await ctx.database`select count(*)::int as n from events`
  expect([left!.n, await total(ctx, 'rollups')]).toEqual([3, 6])
  expect(await verify(ctx.database)).toEqual([])
})

test('pruning deletes minutes past their retention; counters stay, and verify still passes', async () => {
  const now = Date.parse('2026-06-15T12:00:00Z')
  const ctx = await createContext({ ROLLUP_RETENTION_DAYS: '70' }, { clock: () => now })
  const [first, second] = await tenantIds(ctx)
  const at = [
    [first!, 100],
    [first!, 80],
    [first!, 70.1], // in the billing period that contains the cutoff
    [first!, 69.9],
    [second!, 300],
    [second!, 1],
  ] as const
  const events = at.map(([tenantId, age]) => ({
    tenantId,
    id: uuidv7(),
    feature: 'x',
    tokens: 1,
    createdAt: now - age * 86_400_000,
    receivedAt: now,
  }))
  await recordEvents(ctx, events)
  const counters = await total(ctx, 'usage_periods')
  await prune.consume(ctx, new AbortController().signal)
  const [left] = await ctx.database`select count(*)::int as n from rollups`
  expect([left!.n, counters, await total(ctx, 'usage_periods')]).toEqual([2, 6, 6])
  expect(await verify(ctx.database)).toEqual([])
  expect(await ctx.metrics.registry.metrics()).toContain('flagmeter_pruned_rows_total{table="rollups"} 4')
  // What is kept is still compared.
  await ctx.database`update usage_periods set total_tokens = 9 where period_start = '2026-06-01'`
  expect(await verify(ctx.database)).toMatchObject([{ check: 'periods', expected_tokens: 1, actual_tokens: 9 }])
})

test('hours added by a migration miss nothing recorded meanwhile', async () => {
  const ctx = await createContext({ DATABASE_POOL_SIZE: '9' })
  const tenants = await tenantIds(ctx)
  // The state before hours existed.
  const moveCounters = await readFile(join(sqlFolder(), 'functions/move_counters.sql'), 'utf8')
  const before = moveCounters.replace(/ {2}insert into usage_hours[^;]*;/, '')
  expect(before.length).toBeLessThan(moveCounters.length)
  await ctx.database.unsafe(`drop table usage_hours; drop index if exists deliveries_dead; ${before};
    delete from schema_migrations where name in ('000006_hours', '000014_hour_events', '000016_hour_cost')`)
  let isOver = false
  const writing = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const now = Date.now()
      const events = Array.from({ length: 50 }, () => ({
        tenantId: pick(tenants),
        id: uuidv7(),
        feature: `feature-${Math.floor(Math.random() * 20)}`,
        tokens: 1,
        createdAt: now - Math.floor(Math.random() * 86_400_000),
        receivedAt: now,
      }))
      await recordEvents(ctx, events)
    }
  })
  await sleep(500)
  expect(await migrate(ctx.database)).toEqual(['000006_hours', '000014_hour_events', '000016_hour_cost'])
  await sleep(300)
  isOver = true
  await Promise.all(writing)
  expect(await total(ctx, 'usage_hours')).toBe(await total(ctx, 'rollups'))
  expect(await verify(ctx.database)).toEqual([])
})

test('rows to prune are found through an index, even when old and new events share blocks', async () => {
  const ctx = await createContext()
  const [tenantId] = await tenantIds(ctx)
  await ctx.database`
    insert into events (tenant_id, id, feature, tokens, created_at, received_at)
    select ${tenantId!}, gen_random_uuid(), 'x', 1, now() - random() * interval '42 days', now()
      from generate_series(1, 20000)`
  await ctx.database`analyze events`
  const plan = await ctx.database`
    explain select ctid from events where created_at < now() - interval '41.9 days' limit 5000`
  expect(JSON.stringify(plan)).toMatch(/(Index|Bitmap Index) Scan.* events_created_at/)
  const [index] = await ctx.database`select indexdef from pg_indexes where indexname = 'events_created_at'`
  expect(index!.indexdef).toContain('btree')
})

test('minutes are deleted in batches, using the index by tenant', async () => {
  const ctx = await createContext()
  const [tenantId] = await tenantIds(ctx)
  await ctx.database`
    insert into rollups (tenant_id, feature, minute, total_tokens, event_count)
    select ${tenantId!}, 'x', '2020-01-01T00:00:00Z'::timestamptz + n * interval '1 minute', 1, 1
      from generate_series(1, 12000) n`
  await ctx.database`analyze rollups`
  const [first] = await ctx.database`select prune_rollups('2021-01-01', 5000)::int as deleted`
  expect(first!.deleted).toBe(5000)
  const plan = await ctx.database`explain
      select ctid from rollups where tenant_id = ${tenantId!} and minute < '2021-01-01' order by minute limit 10`
  expect(JSON.stringify(plan)).toContain('rollups_minute')
  await prune.consume(ctx, new AbortController().signal)
  expect((await ctx.database`select from rollups`).length).toBe(0)
})
