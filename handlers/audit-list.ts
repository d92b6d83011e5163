import { z } from 'zod'
import { AuditEntry, listAudit } from '../lib/admin/audit.ts'
import { handler } from '../lib/http/endpoint.ts'
import { Cursor, Limit, page, pageOf } from '../lib/page.ts'
import * as examples from '../lib/site/examples.ts'

/**
 * Who changed which tenant, quota, webhook or key, the newest first. `tenant` is an id: a deleted tenant has no other
 * name.
 */
export default handler({
  method: 'GET',
  path: '/api/audit',
  operationId: 'listAudit',
  tag: 'Keys',
  auth: 'admin',
  tenancy: 'all',
  isReport: true,
  summary: 'Changes of tenants, webhooks and keys, the newest first',
  answers: { 200: pageOf('AuditPage', 'entries', AuditEntry, examples.auditEntry).describe('A page of changes.') },
  query: z.strictObject({ tenant: z.guid('must be the id of a tenant').optional(), after: Cursor, limit: Limit }),
  async handle(ctx, { query: { tenant = null, after, limit } }) {
    const { items, positions } = await listAudit(ctx.database, tenant, after ?? null, limit)
    return page('entries', items, limit, (at) => String(positions[at]))
  },
})
