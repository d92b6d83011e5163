import { z } from 'zod'
import { type QuotaRow, QuotaUsage, toQuotaUsage } from '../quota/quota.ts'
import { Instant } from '../schema.ts'
import * as examples from '../site/examples.ts'
import type { Database } from '../store/connection.ts'
import { query } from '../store/database.ts'
import { toDocument } from '../store/document.ts'
import { loadSql } from '../store/sql.ts'
import { getTenant } from '../tenants/tenant_cache.ts'
import { UnknownTenant } from '../tenants/unknown_tenant.ts'
import { Cost, PoolTokens, UnpricedEvents } from './usage.ts'

/** What one user of a tenant has used in its open billing period. */
export const UserUsage = z
  .object({
    tenant: z.guid(),
    tenantName: z.string(),
    user: z.string(),
    totalTokens: z.int(),
    eventCount: z.int(),
    pools: PoolTokens,
    cost: Cost,
    unpricedEvents: UnpricedEvents,
    periodStart: Instant,
    periodEnd: Instant.describe("The period's last millisecond."),
    quotas: z.array(QuotaUsage).describe("Every quota per user, with this user's counter."),
  })
  .meta({
    id: 'UserUsage',
    description:
      'What one user has used. After the first 100,000 of a period, users are counted together, and it is 0.',
    examples: [examples.userUsage],
  })
export type UserUsage = z.infer<typeof UserUsage>

interface Row {
  tenant: string
  tenant_name: string
  user: string
  total_tokens: number
  event_count: number
  pools: UserUsage['pools']
  cost: string
  unpriced_events: number
  period_start: Date
  period_end: Date
  quotas: QuotaRow[]
}

/** Reads it from the counters of the user. @throws UnknownTenant */
export async function readUserUsage(database: Database, ref: string, user: string, now: number): Promise<UserUsage> {
  const tenant = await getTenant(database, ref)
  const args = [tenant.id, new Date(now).toISOString(), user]
  const [row] = await query<Row>(database, loadSql('queries/usage_user'), args)
  if (!row) throw new UnknownTenant(ref)
  return {
    ...toDocument(row),
    quotas: row.quotas.map(toQuotaUsage),
    periodEnd: new Date(row.period_end.getTime() - 1).toISOString(),
  }
}
