import type { Context } from '../lib/context.ts'
import { query } from '../lib/database.ts'
import { tableConsumer } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'

const eventPruneSql = loadSql('queries/event_prune')
const deletedTenantPruneSql = loadSql('queries/deleted_tenant_prune')
const reservationPruneSql = loadSql('queries/reservation_prune')
const BATCH_EVENTS = 5_000
/** So long after its expiry an Idempotency-Key finds its reservation. */
const RESERVATION_RETENTION_MS = 24 * 60 * 60 * 1000

/**
 * Deletes raw events past their retention, a small batch at a time; rollups and counters stay. Then reservations that have long
 * ended, and what deleted tenants have left behind, rollups too.
 */
export default tableConsumer({
  everyMs: 10 * 60 * 1000,
  async consume(ctx, stop) {
    await pruneBefore(ctx, eventPruneSql, ctx.clock() - ctx.config.eventRetentionMs, stop)
    await pruneBefore(ctx, reservationPruneSql, ctx.clock() - RESERVATION_RETENTION_MS, stop)
    for (let more = true; more && !stop.aborted;) {
      const [row] = await query<{ deleted: number | null }>(ctx.database, deletedTenantPruneSql, [BATCH_EVENTS])
      more = typeof row?.deleted === 'number'
    }
  },
})

async function pruneBefore(ctx: Context, sql: string, before: number, stop: AbortSignal): Promise<void> {
  for (let deleted = BATCH_EVENTS; deleted === BATCH_EVENTS && !stop.aborted;) {
    const args = [new Date(before).toISOString(), BATCH_EVENTS]
    const [row] = await query<{ deleted: number }>(ctx.database, sql, args)
    deleted = row?.deleted ?? 0
  }
}
