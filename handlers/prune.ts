import type { Context } from '../lib/context.ts'
import { query } from '../lib/database.ts'
import { tableConsumer } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'

const eventPruneSql = loadSql('queries/event_prune')
const rollupPruneSql = loadSql('queries/rollup_prune')
const deletedTenantPruneSql = loadSql('queries/deleted_tenant_prune')
const reservationPruneSql = loadSql('queries/reservation_prune')
const BATCH_ROWS = 5_000

/**
 * Deletes raw events and minutes past their retention, a small batch at a time; counters stay. Reservations that ended
 * are kept as long as events: an Idempotency-Key is remembered as long as the event it dedupes. Then what deleted tenants have left behind, minutes too.
 */
export default tableConsumer({
  everyMs: 10 * 60 * 1000,
  async consume(ctx, stop) {
    const before = (retentionMs: number) => new Date(ctx.clock() - retentionMs).toISOString()
    const rest = (deleted: number | null) => deleted === BATCH_ROWS
    const { eventRetentionMs, rollupRetentionMs } = ctx.config
    await prune(ctx, stop, 'events', eventPruneSql, [before(eventRetentionMs)], rest)
    await prune(ctx, stop, 'rollups', rollupPruneSql, [before(rollupRetentionMs)], rest)
    await prune(ctx, stop, 'reservations', reservationPruneSql, [before(eventRetentionMs)], rest)
    await prune(ctx, stop, 'deleted_tenants', deletedTenantPruneSql, [], (deleted) => deleted !== null)
  },
})

/** Deletes batch by batch, as long as there is a rest. */
async function prune(
  { database, metrics }: Context,
  stop: AbortSignal,
  table: string,
  sql: string,
  args: unknown[],
  hasRest: (deleted: number | null) => boolean,
): Promise<void> {
  for (let more = true; more && !stop.aborted;) {
    const [row] = await query<{ deleted: number | null }>(database, sql, [...args, BATCH_ROWS])
    const deleted = row?.deleted ?? null
    metrics.pruned.inc({ table }, deleted ?? 0)
    more = hasRest(deleted)
  }
}
