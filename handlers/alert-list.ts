import { z } from 'zod'
import { Crossing, type CrossingRow, toCrossing } from '../lib/alerts/crossing.ts'
import { query } from '../lib/store/database.ts'
import { Instant, TenantRef } from '../lib/schema.ts'
import { handler } from '../lib/http/endpoint.ts'
import { Cursor, Limit, page, pageOf, positionOf } from '../lib/page.ts'
import { loadSql } from '../lib/store/sql.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import * as examples from '../lib/site/examples.ts'

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
    const rows = await query<AlertRow>(ctx.database, loadSql('queries/alert_list'), [tenantId, after ?? null, limit])
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
