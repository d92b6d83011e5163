import { z } from 'zod'
import { Problem, invalidInput } from '../problem.ts'
import { type LimitInput, limitOf, limitsShown, showLimit } from '../quota/limit.ts'
import { Instant, noSuch } from '../schema.ts'
import * as examples from '../site/examples.ts'
import type { Database } from '../store/connection.ts'
import { change, query } from '../store/database.ts'
import { loadSql } from '../store/sql.ts'
import { quote } from '../words.ts'
import { ANY_TENANT, getQuota, newLimit } from './quotas.ts'

/** What one user may use of a quota per user, instead of its own limit. */
export const QuotaException = z
  .object({ user: z.string(), ...limitsShown, createdAt: Instant })
  .meta({ id: 'QuotaException', description: 'The own limit of one user.', examples: [examples.quotaException] })
export type QuotaException = z.infer<typeof QuotaException>

interface ExceptionRow {
  user_id: string
  token_limit: number
  created_at: Date
}

/** A page of a quota's exceptions, by user. @throws Problem quota_not_found */
export async function listExceptions(
  database: Database,
  ref: string,
  user: string | undefined,
  after: string | undefined,
  limit: number,
): Promise<QuotaException[]> {
  const quota = await getQuota(database, ref, ANY_TENANT)
  const { metric } = limitOf(quota)!
  const args = [quota.id, user ?? null, after ?? null, limit]
  const rows = await query<ExceptionRow>(database, loadSql('queries/quota_user_list'), args)
  return rows.map(({ user_id, token_limit, created_at }) => ({
    user: user_id,
    ...showLimit(metric, token_limit),
    createdAt: created_at.toISOString(),
  }))
}

/** Gives one user a limit of its own. @throws Problem quota_not_found, invalid_request */
export async function setException(
  database: Database,
  actor: string,
  ref: string,
  user: string,
  given: LimitInput,
): Promise<QuotaException> {
  const quota = await getQuota(database, ref, ANY_TENANT)
  if (quota.per !== 'user') {
    const detail = 'must be a quota per user: this one counts all users together'
    throw new Problem('invalid_request', invalidInput([{ field: 'quota', detail }]))
  }
  await change(database, actor, loadSql('queries/quota_user_set'), [quota.id, user, newLimit(quota, given)])
  const [exception] = await listExceptions(database, quota.id, user, undefined, 1)
  if (!exception) throw new Problem('quota_not_found', { detail: noSuch('quota', ref, '/quotas') }) // deleted meanwhile
  return exception
}

/** Takes it away again: the quota's own limit counts. @throws Problem quota_not_found, user_not_found */
export async function deleteException(
  database: Database,
  actor: string,
  ref: string,
  user: string,
): Promise<QuotaException> {
  const [exception] = await listExceptions(database, ref, user, undefined, 1)
  const { id } = await getQuota(database, ref, ANY_TENANT)
  if (!exception) throw new Problem('user_not_found', { detail: `${quote(user)} has no limit of its own` })
  await change(database, actor, loadSql('queries/quota_user_delete'), [id, user])
  return exception
}
