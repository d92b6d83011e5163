import { z } from 'zod'
import { query } from '../lib/store/database.ts'
import { TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { loadSql } from '../lib/store/sql.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import * as examples from '../lib/site/examples.ts'

/** Deliveries per statement: it takes a tenth of the time it may. */
const BATCH = 1_000
/** Deliveries per request: more would keep the client waiting. */
const MOST = 10_000

/** Makes undelivered messages due now, dead or waiting: one delivery, a tenant's, a webhook's, or all. Oldest first. */
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
      .object({
        retried: z.int().describe('How many messages are due now.'),
        more: z.boolean().describe('Whether more are undelivered: call again.'),
      })
      .meta({
        id: 'Retried',
        description: 'The messages are due now.',
        examples: [{ retried: 2, more: false }],
      }),
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
    let [retried, count] = [0, BATCH]
    while (count === BATCH && retried < MOST) {
      const [row] = await query<{ retried: number }>(ctx.database, loadSql('queries/delivery_retry'), [
        delivery,
        tenantId,
        webhook,
        BATCH,
      ])
      count = row!.retried
      retried += count
    }
    return json(200, { retried, more: count === BATCH })
  },
})
