import { openChanges } from '../lib/live/changes.ts'
import { v7 as uuidv7 } from 'uuid'
import { openMetrics } from '../lib/metrics/metrics.ts'
import { recordEvents } from '../lib/events/record.ts'
import { type Row, against, median, row } from './_measure.ts'
import type { Stage } from './_stage.ts'

const SMALL = 100_000
const LARGE = 20_000_000
const BATCH = 1_000
const BATCHES = 150
const TENANTS = 1_000

/** The time of record_events per event with 20,000,000 stored events, compared with 100,000. Takes minutes and 5 GB. */
export async function growth({ database }: Stage): Promise<Row> {
  await database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  await database`
    insert into tenants (name) select 'tenant-' || i from generate_series(1, ${TENANTS}) i on conflict do nothing`
  const tenants = (
    await database<{ id: string }[]>`select id from tenants where name like 'tenant-%' order by name`
  ).map(({ id }) => id)
  const recorder = { database, metrics: openMetrics(), changes: openChanges(database, Date.now) }

  /** Past events, with time-ordered ids like those the servers make. */
  async function store(from: number, count: number): Promise<void> {
    await database`
      insert into events (tenant_id, id, feature, tokens, created_at, received_at)
      select tenants[1 + i % ${TENANTS}],
             (lpad(to_hex(extract(epoch from at)::bigint * 1000), 12, '0') || '7' || substr(md5(i::text), 1, 19))::uuid,
             'feature-' || i % 10, 1, at, at
      from (select array_agg(id order by name) as tenants from tenants where name like 'tenant-%') as t,
           generate_series(${from}::bigint, ${from + count - 1}::bigint) as i,
           lateral (select now() - interval '30 days' + i * interval '120 milliseconds' as at) as times`
  }

  async function record(): Promise<number[]> {
    const times: number[] = []
    for (let batch = 0; batch < BATCHES; batch++) {
      const now = Date.now()
      const events = Array.from({ length: BATCH }, (_, i) => ({
        tenantId: tenants[(batch * BATCH + i) % TENANTS]!,
        id: uuidv7(),
        feature: `feature-${i % 10}`,
        tokens: 1,
        createdAt: now,
        receivedAt: now,
      }))
      const startedAt = performance.now()
      await recordEvents(recorder, events)
      times.push((performance.now() - startedAt) / BATCH)
    }
    return times
  }

  await store(0, SMALL)
  await database`vacuum analyze events`
  await record()
  const small = await record()
  for (let from = SMALL; from < LARGE; from += 1_000_000) await store(from, Math.min(1_000_000, LARGE - from))
  await database`vacuum analyze events`
  await record()
  const large = await record()
  await database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  // The medians of ten interleaved tenths of the batches take the place of rounds.
  const tenth = (times: number[]) =>
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((part) => median(times.filter((_, i) => i % 10 === part)))
  const series: [number[], number[]] = [tenth(large), tenth(small)]
  const perEvent = series.map((times) => times.map((ms) => ms * 1000)) as [number[], number[]]
  const name = 'record_events per event, 20,000,000 events stored, against 100,000'
  return row(name, '<= 1.5', series, against(perEvent, 'µs per event'))
}
