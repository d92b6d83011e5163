import { z } from 'zod'
import { NameCursor } from '../page.ts'
import { Instant } from '../schema.ts'
import * as examples from '../site/examples.ts'
import type { Database } from '../store/connection.ts'
import { query } from '../store/database.ts'
import { toDocument } from '../store/document.ts'
import { loadSql } from '../store/sql.ts'
import { getTenant } from '../tenants/tenant_cache.ts'
import { UnknownTenant } from '../tenants/unknown_tenant.ts'
import { Cost, PoolTokens, UnpricedEvents } from './usage.ts'

/** What one value of a split has used. */
export const ValueUsage = z
  .object({
    value: z.string(),
    totalTokens: z.int(),
    eventCount: z.int(),
    pools: PoolTokens,
    cost: Cost,
    unpricedEvents: UnpricedEvents,
  })
  .meta({ id: 'ValueUsage', description: 'What one value of a split has used.', examples: [examples.valueUsage] })
export type ValueUsage = z.infer<typeof ValueUsage>

/** What a tenant has used in its open billing period, split by feature, model, user or a dimension. */
export const UsageBy = z
  .object({
    tenant: z.guid(),
    tenantName: z.string(),
    by: z.string(),
    periodStart: Instant,
    periodEnd: Instant.describe("The period's last millisecond."),
    values: z.array(ValueUsage).describe('The largest first. Values beyond the limit are one value: (other).'),
    next: z.string().describe('Pass it as `after` to get the next page. The last page has none.').optional(),
  })
  .meta({
    id: 'UsageBy',
    description: 'What a tenant has used, by the values of a split.',
    examples: [examples.usageBy],
  })

interface ValueRow {
  value: string
  total_tokens: number
  event_count: number
  pools: ValueUsage['pools']
  cost: string
  unpriced_events: number
}

/** Where a page begins: the `next` of the page before. It holds the tokens and the name of that page's last value. */
export const ValueCursor = NameCursor.refine((cursor) => cursor === undefined || /^\d{1,19}:./s.test(cursor), {
  error: 'must be the next of a page before',
})
const nextAfter = ({ totalTokens, value }: ValueUsage): string =>
  Buffer.from(`${totalTokens}:${value}`).toString('base64url')

/**
 * A page of the values of a tenant's split in its open period, the largest first.
 * @throws UnknownTenant
 */
export async function readUsageBy(
  database: Database,
  ref: string,
  now: number,
  { by, after, limit }: { by: string; after?: string | undefined; limit: number },
): Promise<z.infer<typeof UsageBy>> {
  const tenant = await getTenant(database, ref)
  const colon = after?.indexOf(':') ?? 0
  const rows = await query<ValueRow>(database, loadSql(`queries/usage_by${by === 'feature' ? '_feature' : ''}`), [
    tenant.id,
    new Date(now).toISOString(),
    ...(by === 'feature' ? [] : [by]),
    after?.slice(0, colon) ?? null,
    after?.slice(colon + 1) ?? null,
    limit,
  ])
  const values = rows.map(toDocument)
  const [period] = await query<{ period_start: Date; period_end: Date }>(database, loadSql('queries/billing_period'), [
    tenant.id,
    new Date(now).toISOString(),
  ])
  if (!period) throw new UnknownTenant(ref)
  return {
    tenant: tenant.id,
    tenantName: tenant.name,
    by,
    periodStart: period.period_start.toISOString(),
    periodEnd: new Date(period.period_end.getTime() - 1).toISOString(),
    values,
    ...(values.length === limit && { next: nextAfter(values.at(-1)!) }),
  }
}
