import type { Context } from '../lib/context.ts'
import { query } from '../lib/database.ts'
import { tableConsumer } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'
import { oldestEntryAt } from '../lib/stream.ts'

const reservationLapseSql = loadSql('queries/reservation_lapse')
const BATCH = 500
/** How far the clocks of Valkey and PostgreSQL may be apart. */
const SKEW_MS = 5_000

/** Gives back what reservations hold that were neither settled nor released in time. */
export default tableConsumer({
  everyMs: 250,
  async consume(ctx, stop) {
    const until = await settledUntil(ctx)
    if (until === undefined) return
    const moment = new Date(until).toISOString()
    for (let lapsed = BATCH; lapsed === BATCH && !stop.aborted;) {
      const [row] = await query<{ lapsed: number }>(ctx.database, reservationLapseSql, [BATCH, moment])
      lapsed = row?.lapsed ?? 0
      ctx.metrics.reservations.inc({ outcome: 'lapsed' }, lapsed)
    }
  },
})

/**
 * Until when every settlement that was accepted is counted. One that waits in the stream keeps its hold, however long the worker
 * is behind: so nothing lapses that expired after the oldest entry came. Undefined while Valkey is away: then nobody knows.
 */
async function settledUntil({ valkey, config, clock }: Context): Promise<number | undefined> {
  if (!valkey) return clock()
  try {
    const oldest = await oldestEntryAt(valkey, config.queueName)
    return oldest === undefined ? clock() : oldest - SKEW_MS
  } catch {
    return undefined // the log says that Valkey is away
  }
}
