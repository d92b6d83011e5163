import { query } from '../lib/database.ts'
import { tableConsumer } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'

const eventPruneSql = loadSql('queries/event_prune')
const deletedTenantPruneSql = loadSql('queries/deleted_tenant_prune')
const BATCH_EVENTS = 5_000

/**
 * Deletes raw events past their retention, a small batch at a time; rollups and counters stay. Then what deleted tenants
 * have left behind, rollups too.
 */
export default tableConsumer({
  everyMs: 10 * 60 * 1000,
  async consume(ctx, stop) {
    const cutoff = new Date(ctx.clock() - ctx.config.eventRetentionMs).toISOString()
    let deleted = BATCH_EVENTS
    while (deleted === BATCH_EVENTS && !stop.aborted) {
      const [row] = await query<{ deleted: number }>(ctx.database, eventPruneSql, [cutoff, BATCH_EVENTS])
      deleted = row?.deleted ?? 0
    }
    for (let more = true; more && !stop.aborted;) {
      const [row] = await query<{ deleted: number | null }>(ctx.database, deletedTenantPruneSql, [BATCH_EVENTS])
      more = typeof row?.deleted === 'number'
    }
  },
})
