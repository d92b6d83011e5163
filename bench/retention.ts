import { openChanges } from '../lib/live/changes.ts'
import { v7 as uuidv7 } from 'uuid'
import { query } from '../lib/store/database.ts'
import { openMetrics } from '../lib/metrics/metrics.ts'
import { recordEvents } from '../lib/events/record.ts'
import { loadSql } from '../lib/store/sql.ts'
import { type Row, figure, inTurns, median, row } from './_measure.ts'
import type { Stage } from './_stage.ts'

const ROUNDS = 5
/** A day at about 1 event a second. */
const DAY_EVENTS = 90_000
const DAY_MS = 86_400_000
/** Other days in the table, so that the day to delete has to be found. */
const KEPT_DAYS = 5
const BATCH = 5_000
const eventPruneSql = loadSql('queries/event_prune')
const rollupPruneSql = loadSql('queries/rollup_prune')

/** Deleting a day of events and its minutes, in batches as the worker does, compared with recording a day. */
export async function retention({ database }: Stage): Promise<Row> {
  await database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  const tenants = await database<{ id: string }[]>`select id from tenants`
  const recorder = { database, metrics: openMetrics(), changes: openChanges(database, Date.now) }
  let newest = Math.floor(Date.now() / DAY_MS) - 400

  /** Records the day after the newest; returns events per second. */
  async function record(): Promise<number> {
    const day = newest++ * DAY_MS
    const startedAt = performance.now()
    for (let from = 0; from < DAY_EVENTS; from += 1_000) {
      const events = Array.from({ length: 1_000 }, (_, i) => ({
        tenantId: tenants[i % tenants.length]!.id,
        id: uuidv7(),
        feature: `feature-${i % 10}`,
        tokens: 1,
        createdAt: day + ((from + i) / DAY_EVENTS) * DAY_MS,
        receivedAt: day,
      }))
      await recordEvents(recorder, events)
    }
    return (DAY_EVENTS * 1000) / (performance.now() - startedAt)
  }

  const batchMs: number[] = []
  /** Deletes the oldest day; returns events per second, its minutes included. */
  async function prune(): Promise<number> {
    const cutoff = new Date((newest - KEPT_DAYS) * DAY_MS).toISOString()
    const startedAt = performance.now()
    for (const sql of [eventPruneSql, rollupPruneSql]) {
      for (let deleted = BATCH; deleted === BATCH;) {
        const at = performance.now()
        deleted = (await query<{ deleted: number }>(database, sql, [cutoff, BATCH]))[0]!.deleted
        batchMs.push(performance.now() - at)
      }
    }
    return (DAY_EVENTS * 1000) / (performance.now() - startedAt)
  }

  for (let day = 0; day < KEPT_DAYS; day++) await record()
  const size = async (table: string) =>
    Number((await database`select pg_total_relation_size(${table}) as bytes`)[0]!.bytes)
  const perEvent = (await size('events')) / (KEPT_DAYS * DAY_EVENTS)
  const [minutes] = await database<{ n: number }[]>`select count(*) as n from rollups`
  const perMinute = (await size('rollups')) / minutes!.n
  const before = await size('events')
  const [recorded, pruned] = await inTurns(ROUNDS, record, async () => {
    const rate = await prune()
    await database`vacuum events, rollups` // like autovacuum: the next day reuses the space of the deleted one
    return rate
  })
  const [left] = await database<{ n: number }[]>`select count(*) as n from events`
  if (left!.n !== KEPT_DAYS * DAY_EVENTS) throw new Error(`${left!.n} events are left of ${KEPT_DAYS * DAY_EVENTS}`)
  const growth = (await size('events')) / before
  const detail =
    `${figure(median(pruned))} events/s deleted with their minutes, ${figure(median(recorded))} recorded; ` +
    `a batch of ${BATCH} takes ` +
    `${figure(median(batchMs))} ms, ${figure(Math.max(...batchMs))} at most; ` +
    `${figure(perEvent)} bytes per event, ${figure(perMinute)} per ` +
    `minute; after ${ROUNDS + 1} days deleted and recorded the table has ${figure(growth)} of its size`
  return row('deleting a day of events, against recording one', '>= 1.5', [pruned, recorded], detail)
}
