import type { Database } from '../store/connection.ts'
import { change, query } from '../store/database.ts'
import { loadSql } from '../store/sql.ts'

/** Events looked at per step: 50 ms. */
const LOOKED_AT = 20_000

/** What a step of forgetting a user has done, and where the next one begins; undefined: that was all. */
export interface Forgotten {
  examined: number
  forgotten: number
  next?: string
}

interface Row {
  looked: number
  forgotten: number
  last_id: string | null
}

/**
 * Takes the name of a user out of everything, step by step: the first takes all but the raw events, and each some of
 * these. What the user has used stays counted, under the name `(forgotten)`. Doing a step again changes nothing.
 */
export async function forgetUser(
  database: Database,
  actor: string,
  tenantId: string,
  user: string,
  after: string | undefined,
): Promise<Forgotten> {
  if (after === undefined) await change(database, actor, loadSql('queries/user_forget'), [tenantId, user])
  const args = [tenantId, user, after ?? null, LOOKED_AT]
  const [row] = await query<Row>(database, loadSql('queries/user_forget_events'), args)
  const { looked, forgotten, last_id } = row!
  return { examined: looked, forgotten, ...(looked === LOOKED_AT && { next: last_id! }) }
}
