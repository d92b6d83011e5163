import { z } from 'zod'
import { query } from '../lib/store/database.ts'
import { TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { loadSql } from '../lib/store/sql.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import * as examples from '../lib/site/examples.ts'

/** Makes due now what was not delivered, dead or waiting: one delivery, a tenant's, a webhook's, or all. */
export default handler({
  method: 'POST',
  path: '/api/deliveries/retry',
  operationId: 'retryDeliveries',
  tag: 'Alerts',
  auth: 'admin',
  tenancy: 'named',
  summary: 'Makes due now what was not delivered',
  answers: {
    200: z
      .object({ retried: z.int().describe('How many messages are due now.') })
      .meta({ id: 'Retried', description: 'The messages are due now.', examples: [{ retried: 2 }] }),
  },
  problems: ['tenant_not_found'],
  body: z
    .strictObject({
      delivery: z.guid('must be the id of a delivery').optional(),
      tenant: TenantRef.optional(),
      webhook: z.guid('must be the id of a webhook').optional(),
    })
    .meta({
      id: 'RetryInput',
      description: 'Which messages: one, those of a tenant, those of a webhook, or all.',
      examples: [{ tenant: examples.event.tenant }],
    }),
  async handle(ctx, { body: { delivery = null, tenant, webhook = null } }) {
    const tenantId = tenant === undefined ? null : (await getTenant(ctx.database, tenant)).id
    const rows = await query(ctx.database, loadSql('queries/delivery_retry'), [delivery, tenantId, webhook])
    return json(200, { retried: rows.length })
  },
})
