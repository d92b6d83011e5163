import { z } from 'zod'
import { type Database, query } from '../store/database.ts'
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
  /** Percent of the monthly quota at which people are told. */
  thresholds: z.array(z.int()),
  reservedTokens: z.int(),
  /** Of the last 60 seconds: the minute that runs, and the share of the one before. */
  tokensPerMinute: z.int(),
  /** Of the last 24 hours, likewise. */
  tokensLastDay: z.int(),
}).meta({ examples: [examples.overview] })
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
  return rows.map(toOverview)
}

/** The same of these tenants, in any order. Those that are gone are left out. */
export async function findOverview(database: Database, now: number, tenantIds: string[]): Promise<OverviewUsage[]> {
  const rows = await query<Row>(database, loadSql('queries/usage_rows'), [tenantIds, new Date(now).toISOString()])
  return rows.map(toOverview)
}

const toOverview = (row: Row): OverviewUsage => ({
  ...toUsage(row),
  thresholds: row.thresholds,
  reservedTokens: row.reserved_tokens,
  tokensPerMinute: row.tokens_per_minute,
  tokensLastDay: row.tokens_last_day,
})
