import { z } from 'zod'
import { type Database, query } from '../store/database.ts'
import { type Grouped, openGroup } from '../store/group.ts'
import { type QuotaRow, QuotaUsage, toQuotaUsage } from '../quota/quota.ts'
import { loadSql } from '../store/sql.ts'
import { byRef, namesAndIds } from '../tenants/tenant_cache.ts'
import { Usage, type UsageRow, toUsage } from './usage.ts'
import * as examples from '../site/examples.ts'

/** Less than a group waits. */
const ANSWER_MS = 3_000
/** Questions per query, at most. */
const GROUP = 100

const FeatureUsage = z.object({ feature: z.string(), totalTokens: z.int(), eventCount: z.int() })

/**
 * What a tenant has used in its open billing period, at most 1,000 features, the largest first, and of each of its
 * quotas.
 */
export const TenantUsage = Usage.extend({ features: z.array(FeatureUsage), quotas: z.array(QuotaUsage) }).meta({
  examples: [{ ...examples.usage, features: examples.features, quotas: [examples.monthlyUsage, examples.quotaUsage] }],
})

interface Row extends UsageRow {
  features: z.infer<typeof FeatureUsage>[]
  quotas: QuotaRow[]
}

/** The usage of the tenant of a name or id, as JSON; undefined: there is no such tenant. */
export type UsageReader = Grouped<string, string | undefined>

/**
 * Opens the look-up of usage of one process. What is asked while a query is in flight goes together in the next, the
 * same tenant once: an answer is never older than its question, and a thousand readers cost no more than a few.
 */
export function openUsageReader(database: Database, clock: () => number): UsageReader {
  async function load(refs: string[]): Promise<(string | undefined)[]> {
    const { names, ids } = namesAndIds([...new Set(refs)])
    const rows = await query<Row>(
      database,
      loadSql('queries/usage_get'),
      [names, ids, new Date(clock()).toISOString()],
      ANSWER_MS,
    )
    const written = rows.map((row) => {
      const document = { ...toUsage(row), features: row.features, quotas: row.quotas.map(toQuotaUsage) }
      return { id: row.id, name: row.name, text: JSON.stringify(document) }
    })
    const found = byRef(refs, written)
    return refs.map((ref) => found.get(ref)?.text)
  }
  return openGroup(load, { most: GROUP, atOnce: 2 }).run
}
