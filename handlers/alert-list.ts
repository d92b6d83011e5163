import { z } from 'zod'
import { Crossing, type CrossingRow, toCrossing } from '../lib/alert.ts'
import { query } from '../lib/database.ts'
import { Instant, TenantRef } from '../lib/event.ts'
import { handler } from '../lib/handler.ts'
import { Cursor, Limit, page, pageOf, positionOf } from '../lib/page.ts'
import { loadSql } from '../lib/sql.ts'
import { getTenant } from '../lib/tenants.ts'
import * as examples from '../lib/examples.ts'

const alertListSql = loadSql('queries/alert_list')

interface AlertRow extends CrossingRow {
  id: string
  tenant_id: string
  tenant_name: string
  created_at: Date
  position: number
}

/** An alert: a threshold that a tenant has crossed. */
const Alert = z.object({
  id: z.guid(),
  tenant: z.guid(),
  tenantName: z.string(),
  ...Crossing.shape,
  createdAt: Instant,
})

/** The alerts of a tenant, or of all, the newest first. */
export default handler({
  method: 'GET',
  path: '/api/alerts',
  auth: 'read',
  tenancy: 'named',
  isReport: true,
  summary: 'Thresholds that were crossed, the newest first',
  answers: { 200: pageOf('alerts', Alert, examples.alert) },
  problems: ['tenant_not_found'],
  query: z.strictObject({ tenant: TenantRef.optional(), after: Cursor, limit: Limit }),
  async handle(ctx, { query: { tenant, after, limit } }) {
    const tenantId = tenant === undefined ? null : (await getTenant(ctx.database, tenant)).id
    const rows = await query<AlertRow>(ctx.database, alertListSql, [tenantId, after ?? null, limit])
    return page('alerts', rows.map(toAlert), limit, positionOf(rows))
  },
})

const toAlert = (row: AlertRow): z.infer<typeof Alert> => ({
  id: row.id,
  tenant: row.tenant_id,
  tenantName: row.tenant_name,
  ...toCrossing(row),
  createdAt: row.created_at.toISOString(),
})
