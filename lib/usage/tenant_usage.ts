import { z } from 'zod'
import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { type JsonText, writeJson } from '../http/answer_types.ts'
import { type Grouped, openGroup } from '../store/group.ts'
import { type QuotaRow, QuotaUsage, toQuotaUsage } from '../quota/quota.ts'
import { loadSql } from '../store/sql.ts'
import { byRef, namesAndIds } from '../tenants/tenant_cache.ts'
import { PoolTokens, Usage, type UsageRow, toUsage } from './usage.ts'
import * as examples from '../site/examples.ts'

/** Less than a group waits. */
const ANSWER_MS = 3_000
/** Questions per query, at most. */
const GROUP = 100

const FeatureUsage = z
  .object({ feature: z.string(), totalTokens: z.int(), eventCount: z.int() })
  .meta({ id: 'FeatureUsage', description: 'What was used of one feature.', examples: examples.features })

/**
 * What a tenant has used in its open billing period, at most 1,000 features, the largest first, and of each of its
 * quotas.
 */
export const TenantUsage = Usage.extend({
  pools: PoolTokens,
  features: z.array(FeatureUsage).describe('At most 1,000, the largest first.'),
  quotas: z.array(QuotaUsage).describe('Every quota of the tenant, the monthly one first.'),
}).meta({
  id: 'Usage',
  description: 'What a tenant has used in its open billing period.',
  examples: [examples.tenantUsage],
})

export type TenantUsage = z.infer<typeof TenantUsage>

interface Row extends UsageRow {
  pools: TenantUsage['pools']
  features: TenantUsage['features']
  quotas: QuotaRow[]
}

/** The usage of the tenant of a name or id, as JSON; undefined: there is no such tenant. */
export type UsageReader = Grouped<string, JsonText<TenantUsage> | undefined>

/**
 * Opens the look-up of usage of one process. What is asked while a query is in flight goes together in the next, the
 * same tenant once: an answer is never older than its question, and a thousand readers cost no more than a few.
 */
export function openUsageReader(database: Database, clock: () => number): UsageReader {
  async function load(refs: string[]): Promise<(JsonText<TenantUsage> | undefined)[]> {
    const { names, ids } = namesAndIds([...new Set(refs)])
    const rows = await query<Row>(
      database,
      loadSql('queries/usage_get'),
      [names, ids, new Date(clock()).toISOString()],
      ANSWER_MS,
    )
    const written = rows.map((row) => {
      const document: TenantUsage = { ...toUsage(row), quotas: row.quotas.map(toQuotaUsage) }
      return { id: row.tenant, name: row.tenant_name, text: writeJson(document) }
    })
    const found = byRef(refs, written)
    return refs.map((ref) => found.get(ref)?.text)
  }
  return openGroup(load, { most: GROUP, atOnce: 2 }).run
}
