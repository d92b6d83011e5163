import { z } from 'zod'
import type { Bound } from '../auth/caller.ts'
import { change } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { type Listed, list, toDocument } from '../store/document.ts'
import { Instant, asUuid, noSuch } from '../schema.ts'
import { errorCode } from '../store/outage.ts'
import { Problem, invalidInput } from '../problem.ts'
import { type LimitInput, type Metric, Period, limitOf, limitsShown, showLimit } from '../quota/limit.ts'
import { type QuotaChanges, type QuotaSettings } from '../quota/quota_settings.ts'
import { loadSql } from '../store/sql.ts'
import { getTenant } from '../tenants/tenant_cache.ts'
import { UnknownTenant } from '../tenants/unknown_tenant.ts'
import * as examples from '../site/examples.ts'

/** An additional quota, as the API and the commands show it. */
export const Quota = z
  .object({
    id: z.guid(),
    tenant: z.guid(),
    tenantName: z.string(),
    feature: z.string().describe('The only feature that it counts; absent: all.').optional(),
    model: z.string().describe('The only model that it counts; absent: all.').optional(),
    per: z.literal('user').describe('It counts each user by itself; absent: all together.').optional(),
    period: Period,
    ...limitsShown,
    hard: z.boolean().describe('Whether checks and reservations beyond it are refused; otherwise it only alerts.'),
    thresholds: z.array(z.int()).describe('Percentages at which alerts are raised.'),
    createdAt: Instant,
  })
  .meta({
    id: 'Quota',
    description: 'A limit on tokens, requests or cost per period, in addition to the monthly quota of its tenant.',
    examples: [examples.quota],
  })
export type Quota = z.infer<typeof Quota>

interface QuotaListRow {
  metric: Metric
  per_user: boolean
  token_limit: number
}

const toQuota = ({ metric, per_user, token_limit, ...row }: QuotaListRow): unknown => ({
  ...toDocument(row),
  ...(per_user && { per: 'user' }),
  ...showLimit(metric, token_limit),
})

/** A key that may change quotas may change those of every tenant. */
export const ANY_TENANT: Bound = {}

/** A page of quotas, of one tenant or of all, the oldest first. */
export const listQuotas = (
  database: Database,
  tenantId: string | null,
  after: number | null,
  limit: number,
): Promise<Listed<Quota>> => list(database, 'quota_list', [null, tenantId, after ?? 0, limit], toQuota)

/** The quota of this id, if the caller may know of it. @throws Problem quota_not_found */
export async function getQuota(database: Database, ref: string, { tenantId = null }: Bound): Promise<Quota> {
  const id = asUuid(ref)
  const [quota] = id === null ? [] : (await list<Quota>(database, 'quota_list', [id, tenantId, 0, 1], toQuota)).items
  if (!quota) throw new Problem('quota_not_found', { detail: noSuch('quota', ref, '/quotas') })
  return quota
}

/** Adds a quota to a tenant; its open period is counted at once. @throws Problem tenant_not_found, quota_exists */
export async function createQuota(
  database: Database,
  actor: string,
  tenant: string,
  { feature, model, per, period, hard, thresholds, ...limits }: QuotaSettings,
): Promise<Quota> {
  const { id } = await getTenant(database, tenant)
  const { metric, limit } = limitOf(limits)!
  const counted = [feature ?? null, model ?? null, metric, per === 'user', period]
  const args = [id, ...counted, limit, hard ?? null, thresholds ?? null]
  const sql = loadSql('queries/quota_create')
  const [created] = await change<{ id: string | null }>(database, actor, sql, args).catch(refuseEqual)
  if (!created?.id) throw new UnknownTenant(tenant) // deleted meanwhile
  return await getQuota(database, created.id, ANY_TENANT)
}

function refuseEqual(error: unknown): never {
  if (errorCode(error) !== '23505') throw error
  const { detail: id = '' } = error as { detail?: string }
  throw new Problem('quota_exists', { detail: `the tenant already has this quota; its id is ${id}`, quota: id })
}

/** Changes what is given of a quota. @throws Problem quota_not_found, quota_exists */
export async function updateQuota(
  database: Database,
  actor: string,
  ref: string,
  { hard, thresholds, ...limits }: QuotaChanges,
): Promise<Quota> {
  const quota = await getQuota(database, ref, ANY_TENANT)
  const { id } = quota
  const args = [id, newLimit(quota, limits), hard ?? null, thresholds ?? null]
  await change(database, actor, loadSql('queries/quota_update'), args).catch(refuseEqual)
  return await getQuota(database, id, ANY_TENANT)
}

/** Deletes a quota with its counters, and returns what it was. @throws Problem quota_not_found */
export async function deleteQuota(database: Database, actor: string, ref: string): Promise<Quota> {
  const quota = await getQuota(database, ref, ANY_TENANT)
  await change(database, actor, loadSql('queries/quota_delete'), [quota.id])
  return quota
}

/** A new limit of a quota, in what it counts; null: none is given. @throws Problem invalid_request: in anything else */
export function newLimit(quota: LimitInput, given: LimitInput): number | null {
  const limit = limitOf(given)
  if (!limit) return null
  const { metric } = limitOf(quota)!
  if (limit.metric === metric) return limit.limit
  const field = Object.keys(showLimit(limit.metric, 0))[0]!
  throw new Problem('invalid_request', invalidInput([{ field, detail: `must not be set: the quota counts ${metric}` }]))
}
