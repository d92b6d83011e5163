import type { Context } from '../lib/context.ts'
import { query } from '../lib/store/database.ts'
import { tableConsumer } from '../lib/worker/consumer.ts'
import { loadSql } from '../lib/store/sql.ts'
import { settlingSince } from '../lib/events/stream.ts'

const BATCH = 500
/** While Valkey is away, a hold lapses so much later. */
const PATIENCE_MS = 30_000

/** Gives back what reservations hold that were neither settled nor released in time. */
export default tableConsumer({
  everyMs: 250,
  async consume(ctx, stop) {
    const { until, patienceMs } = await waiting(ctx)
    const args = [BATCH, until === undefined ? null : new Date(until).toISOString(), patienceMs]
    for (let lapsed = BATCH; lapsed === BATCH && !stop.aborted;) {
      const [row] = await query<{ lapsed: number }>(ctx.database, loadSql('queries/reservation_lapse'), args)
      lapsed = row?.lapsed ?? 0
      ctx.metrics.reservations.inc({ outcome: 'lapsed' }, lapsed)
    }
  },
})

/**
 * Until when every settlement that was accepted is counted (undefined: none waits), and how late holds lapse. The
 * database's clock says what has expired: a worker's may step back. A settlement that waits in the stream keeps its
 * hold, however long the worker is behind: so nothing lapses that expired after the oldest entry came. Settlements go
 * there only while PostgreSQL is away, so other entries, or one that is stuck, hold up nothing. While Valkey is away
 * nobody knows what waits there: hardly ever a settlement, and holds that never lapse would refuse everybody as long as
 * that lasts. So then it is a matter of patience.
 */
async function waiting({ valkey, config }: Context): Promise<{ until?: number | undefined; patienceMs: number }> {
  if (!valkey) return { patienceMs: 0 }
  try {
    return { until: await settlingSince(valkey, config.queueName), patienceMs: 0 }
  } catch {
    return { patienceMs: PATIENCE_MS } // the log says that Valkey is away
  }
}
