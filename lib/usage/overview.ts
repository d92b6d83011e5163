import { z } from 'zod'
import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { loadSql } from '../store/sql.ts'
import { Usage, type UsageRow, toUsage } from './usage.ts'
import * as examples from '../site/examples.ts'

interface Row extends UsageRow {
  thresholds: number[]
  reserved_tokens: number
  tokens_per_minute: number
  tokens_last_day: number
}

/** What is shown of a tenant among others: its usage, its thresholds and its pace. */
export const OverviewUsage = Usage.extend({
  thresholds: z.array(z.int()).describe('Percentages of the monthly quota at which alerts are raised.'),
  reservedTokens: z.int().describe('Tokens held by reservations that are not settled yet.'),
  tokensPerMinute: z.int().describe('Tokens of the last 60 seconds.'),
  tokensLastDay: z.int().describe('Tokens of the last 24 hours.'),
}).meta({
  id: 'UsageSummary',
  description: 'What is shown of a tenant among others: its usage, its thresholds and its pace.',
  examples: [examples.overview],
})
export type OverviewUsage = z.infer<typeof OverviewUsage>

/** A page of tenants by name, after the one of that name; of a bound caller, its own. */
export async function listOverview(
  database: Database,
  now: number,
  { after = '', limit, tenantId = null }: { after?: string | undefined; limit: number; tenantId?: string | null },
): Promise<OverviewUsage[]> {
  const rows = await query<Row>(database, loadSql('queries/usage_list'), [
    after,
    limit,
    new Date(now).toISOString(),
    tenantId,
  ])
  return rows.map(toUsage)
}

/** The same of these tenants, in any order. Those that are gone are left out. */
export async function findOverview(database: Database, now: number, tenantIds: string[]): Promise<OverviewUsage[]> {
  const rows = await query<Row>(database, loadSql('queries/usage_rows'), [tenantIds, new Date(now).toISOString()])
  return rows.map(toUsage)
}
