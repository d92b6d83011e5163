import { z } from 'zod'
import type { Bound } from '../auth/caller.ts'
import { type Database, change, query } from '../store/database.ts'
import { Instant, asUuid, noSuch } from '../schema.ts'
import { Problem } from '../problem.ts'
import { PERIODS, type Period, type QuotaChanges, type QuotaSettings } from '../quota/quota.ts'
import { loadSql } from '../store/sql.ts'
import { getTenant } from '../tenants/tenant_cache.ts'
import { UnknownTenant } from '../tenants/unknown_tenant.ts'
import * as examples from '../site/examples.ts'

/** A quota beside the monthly one, as the API and the commands show it. */
export const Quota = z
  .object({
    id: z.guid(),
    tenant: z.guid(),
    tenantName: z.string(),
    /** Absent: all features. */
    feature: z.string().optional(),
    period: z.enum(PERIODS),
    tokenLimit: z.int(),
    hard: z.boolean(),
    thresholds: z.array(z.int()),
    createdAt: Instant,
  })
  .meta({ examples: [examples.quota] })
export type Quota = z.infer<typeof Quota>

interface QuotaSettingsRow {
  id: string
  tenant_id: string
  tenant_name: string
  feature: string | null
  period: Period
  token_limit: number
  hard: boolean
  thresholds: number[]
  created_at: Date
  position: number
}

/** Whoever may change quotas may change those of every tenant. */
const ANY_TENANT: Bound = {}

/** A page of quotas, of one tenant or of all, the oldest first. */
export async function listQuotas(
  database: Database,
  tenantId: string | null,
  after: number,
  limit: number,
): Promise<{ quotas: Quota[]; rows: QuotaSettingsRow[] }> {
  const rows = await query<QuotaSettingsRow>(database, loadSql('queries/quota_list'), [null, tenantId, after, limit])
  return { quotas: rows.map(toQuota), rows }
}

/** The quota of this id, if the caller may know of it. @throws Problem quota_not_found */
export async function getQuota(database: Database, ref: string, { tenantId = null }: Bound): Promise<Quota> {
  const id = asUuid(ref)
  const [row] =
    id === null ? [] : await query<QuotaSettingsRow>(database, loadSql('queries/quota_list'), [id, tenantId, 0, 1])
  if (!row) throw new Problem('quota_not_found', { detail: noSuch('quota', ref, '/quotas') })
  return toQuota(row)
}

/** Adds a quota to a tenant; its open period is counted at once. @throws Problem tenant_not_found */
export async function createQuota(
  database: Database,
  actor: string,
  tenant: string,
  { feature, period, tokenLimit, hard, thresholds }: QuotaSettings,
): Promise<Quota> {
  const { id } = await getTenant(database, tenant)
  const args = [id, feature ?? null, period, tokenLimit, hard ?? null, thresholds ?? null]
  const [created] = await change<{ id: string | null }>(database, actor, loadSql('queries/quota_create'), args)
  if (!created?.id) throw new UnknownTenant(tenant) // deleted meanwhile
  return await getQuota(database, created.id, ANY_TENANT)
}

/** Changes what is given of a quota. @throws Problem quota_not_found */
export async function updateQuota(
  database: Database,
  actor: string,
  ref: string,
  { tokenLimit, hard, thresholds }: QuotaChanges,
): Promise<Quota> {
  const { id } = await getQuota(database, ref, ANY_TENANT)
  await change(database, actor, loadSql('queries/quota_update'), [
    id,
    tokenLimit ?? null,
    hard ?? null,
    thresholds ?? null,
  ])
  return await getQuota(database, id, ANY_TENANT)
}

/** Deletes a quota with its counters, and returns what it was. @throws Problem quota_not_found */
export async function deleteQuota(database: Database, actor: string, ref: string): Promise<Quota> {
  const quota = await getQuota(database, ref, ANY_TENANT)
  await change(database, actor, loadSql('queries/quota_delete'), [quota.id])
  return quota
}

const toQuota = (row: QuotaSettingsRow): Quota => ({
  id: row.id,
  tenant: row.tenant_id,
  tenantName: row.tenant_name,
  ...(row.feature !== null && { feature: row.feature }),
  period: row.period,
  tokenLimit: row.token_limit,
  hard: row.hard,
  thresholds: row.thresholds,
  createdAt: row.created_at.toISOString(),
})
