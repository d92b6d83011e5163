import { z } from 'zod'
import { query } from '../lib/database.ts'
import { Instant, TenantRef } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { Cursor, Limit, nextOf, pageOf } from '../lib/page.ts'
import { loadSql } from '../lib/sql.ts'
import { getTenant } from '../lib/tenants.ts'
import { quotaPercent } from '../lib/usage.ts'
import * as examples from '../lib/examples.ts'

const alertListSql = loadSql('queries/alert_list')

interface AlertRow {
  id: string
  tenant_id: string
  tenant_name: string
  quota_id: string
  quota_version: number
  threshold: number
  token_limit: number
  total_tokens: number
  period_start: Date
  period_end: Date
  created_at: Date
  position: number
}

/** A threshold that was crossed. */
const Alert = z.object({
  id: z.guid(),
  tenant: z.guid(),
  tenantName: z.string(),
  threshold: z.int(),
  quotaPercent: z.number(),
  totalTokens: z.int(),
  quota: z.object({ id: z.guid(), tokenLimit: z.int(), version: z.int() }),
  periodStart: Instant,
  periodEnd: Instant,
  createdAt: Instant,
})

/** The alerts of a tenant, or of all, the newest first. */
export default handler({
  method: 'GET',
  path: '/api/alerts',
  auth: 'read',
  tenancy: 'named',
  summary: 'Thresholds that were crossed, the newest first',
  answers: { 200: pageOf('alerts', Alert, examples.alert) },
  problems: ['tenant_not_found'],
  query: z.strictObject({ tenant: TenantRef.optional(), after: Cursor, limit: Limit }),
  async handle(ctx, { query: { tenant, after, limit } }) {
    const tenantId = tenant === undefined ? null : (await getTenant(ctx.database, tenant)).id
    const rows = await query<AlertRow>(ctx.database, alertListSql, [tenantId, after ?? null, limit])
    return json(200, { alerts: rows.map(toAlert), ...nextOf(rows, limit) })
  },
})

const toAlert = (row: AlertRow): z.infer<typeof Alert> => ({
  id: row.id,
  tenant: row.tenant_id,
  tenantName: row.tenant_name,
  threshold: row.threshold,
  quotaPercent: quotaPercent(row.total_tokens, row.token_limit),
  totalTokens: row.total_tokens,
  quota: { id: row.quota_id, tokenLimit: row.token_limit, version: row.quota_version },
  periodStart: row.period_start.toISOString(),
  periodEnd: new Date(row.period_end.getTime() - 1).toISOString(),
  createdAt: row.created_at.toISOString(),
})
