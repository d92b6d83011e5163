import { query } from '../lib/database.ts'
import { tableConsumer } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'

const reservationLapseSql = loadSql('queries/reservation_lapse')
const BATCH = 500

/** Gives back what reservations hold that were neither settled nor released in time. */
export default tableConsumer({
  everyMs: 250,
  async consume(ctx, stop) {
    for (let lapsed = BATCH; lapsed === BATCH && !stop.aborted;) {
      const [row] = await query<{ lapsed: number }>(ctx.database, reservationLapseSql, [BATCH])
      lapsed = row?.lapsed ?? 0
      ctx.metrics.reservations.inc({ outcome: 'lapsed' }, lapsed)
    }
  },
})
