import { z } from 'zod'
import { Crossing, type CrossingRow, toCrossing } from '../lib/alerts/crossing.ts'
import { list, toDocument } from '../lib/store/document.ts'
import { Instant } from '../lib/schema.ts'
import { listing } from '../lib/page.ts'
import * as examples from '../lib/site/examples.ts'

interface AlertRow extends CrossingRow {
  id: string
  tenant: string
  tenant_name: string
  created_at: Date
}

const Alert = z
  .object({
    id: z.guid(),
    tenant: z.guid(),
    tenantName: z.string(),
    ...Crossing.shape,
    createdAt: Instant,
  })
  .meta({ id: 'Alert', description: 'A threshold that a tenant has crossed.', examples: [examples.alert] })
type Alert = z.infer<typeof Alert>

/** The alerts of a tenant, or of all, the newest first. */
export default listing({
  path: '/api/alerts',
  operationId: 'listAlerts',
  tag: 'Alerts',
  auth: 'read',
  tenancy: 'named',
  summary: 'Thresholds that were crossed, the newest first',
  page: { id: 'AlertPage', key: 'alerts', item: Alert, example: examples.alert, description: 'A page of alerts.' },
  list: (database, tenantId, before, limit) => list<Alert>(database, 'alert_list', [tenantId, before, limit], toAlert),
})

const toAlert = ({ id, tenant, tenant_name, created_at, ...crossing }: AlertRow): Alert => ({
  ...toDocument({ id, tenant, tenant_name, created_at }),
  ...toCrossing(crossing),
})
