import type { Context } from '../lib/context.ts'
import { query } from '../lib/store/database.ts'
import { tableConsumer } from '../lib/worker/consumer.ts'
import { loadSql } from '../lib/store/sql.ts'

const HOUR_MS = 3_600_000
const BATCH_ROWS = 5_000

/**
 * Deletes what is past its retention, a small batch at a time; counters per billing period stay. Reservations that
 * ended are kept as long as events: an Idempotency-Key is remembered as long as the event it dedupes. Then what deleted
 * tenants and finished rebuilds have left behind.
 */
export default tableConsumer({
  everyMs: 10 * 60 * 1000,
  async consume(ctx, stop) {
    const before = (retentionMs: number, unitMs = 1) => {
      const cutoff = ctx.clock() - retentionMs
      return new Date(cutoff - (cutoff % unitMs)).toISOString()
    }
    /** `verify` compares what is left with what was made of it by the minute, quarter and hour. */
    const beforeHour = (retentionMs: number) => before(retentionMs, HOUR_MS)
    const rest = (deleted: number | null) => deleted === BATCH_ROWS
    const { eventRetentionMs, rollupRetentionMs, alertRetentionMs, auditRetentionMs, deadLetterRetentionMs } =
      ctx.config
    await prune(ctx, stop, 'events', loadSql('queries/event_prune'), [beforeHour(eventRetentionMs)], rest)
    await prune(ctx, stop, 'rollups', loadSql('queries/rollup_prune'), [beforeHour(rollupRetentionMs)], rest)
    await prune(ctx, stop, 'splits', loadSql('queries/split_prune'), [beforeHour(rollupRetentionMs)], rest)
    await prune(ctx, stop, 'counters', loadSql('queries/counter_prune'), [beforeHour(rollupRetentionMs)], rest)
    await prune(ctx, stop, 'reservations', loadSql('queries/reservation_prune'), [before(eventRetentionMs)], rest)
    await prune(ctx, stop, 'deliveries', loadSql('queries/delivery_prune'), [before(alertRetentionMs)], rest)
    await prune(ctx, stop, 'alerts', loadSql('queries/alert_prune'), [before(alertRetentionMs)], rest)
    await prune(ctx, stop, 'audit_log', loadSql('queries/audit_prune'), [before(auditRetentionMs)], rest)
    await prune(ctx, stop, 'dead_letters', loadSql('queries/dead_letter_prune'), [before(deadLetterRetentionMs)], rest)
    await prune(ctx, stop, 'rebuilds', loadSql('queries/rebuild_prune'), [], rest)
    await prune(
      ctx,
      stop,
      'deleted_tenants',
      loadSql('queries/deleted_tenant_prune'),
      [],
      (deleted) => deleted !== null,
    )
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
