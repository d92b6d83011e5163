import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { quotaFields, withOneLimit } from '../lib/quota/quota_settings.ts'
import { Quota, createQuota } from '../lib/admin/quotas.ts'
import * as examples from '../lib/site/examples.ts'

/**
 * Adds a quota to a tenant. What its open period has used counts already; of a quota by model or per user, only what
 * comes from now on.
 */
export default handler({
  method: 'POST',
  path: '/api/quotas',
  operationId: 'createQuota',
  tag: 'Quotas',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Adds a quota to a tenant, in addition to the monthly one',
  answers: {
    201: Quota.describe(
      'The quota was added. What its open period has used counts already, unless it is by model or per user.',
    ),
  },
  problems: ['tenant_not_found', 'quota_exists'],
  body: withOneLimit(z.strictObject({ tenant: TenantRef, ...quotaFields })).meta({
    id: 'QuotaInput',
    examples: [examples.quotaInput, examples.userQuotaInput],
  }),
  async handle(ctx, { body: { tenant, ...settings }, caller }) {
    return json(201, await createQuota(ctx.database, actorOf(caller), tenant, settings))
  },
})
