import { query } from '../lib/store/database.ts'
import { tableConsumer } from '../lib/worker/consumer.ts'
import { loadSql } from '../lib/store/sql.ts'
import { stepRebuild } from '../lib/admin/tenants.ts'

const STEP_TIMEOUT_MS = 60_000

/**
 * Goes on with changes of billing day or time zone that were too long for their request, a step of each in turn. One
 * that fails holds up none of the others; the next round tries it again.
 */
export default tableConsumer({
  everyMs: 1_000,
  async consume({ database }, stop) {
    const failures: unknown[] = []
    let open = (await query<{ tenant_id: string }>(database, loadSql('queries/rebuild_list'))).map(
      (row) => row.tenant_id,
    )
    while (open.length > 0 && !stop.aborted) {
      const more: string[] = []
      for (const tenant of open) {
        try {
          if (await stepRebuild(database, tenant, STEP_TIMEOUT_MS)) more.push(tenant)
        } catch (error) {
          failures.push(error)
        }
      }
      open = more
    }
    if (failures.length > 0) throw failures[0]
  },
})
