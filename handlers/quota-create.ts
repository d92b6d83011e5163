import { actorOf } from '../lib/auth/caller.ts'
import { TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { QuotaSettings } from '../lib/quota/quota.ts'
import { Quota, createQuota } from '../lib/admin/quotas.ts'
import * as examples from '../lib/site/examples.ts'

/** Adds a quota to a tenant. What its open period has counted already counts. */
export default handler({
  method: 'POST',
  path: '/api/quotas',
  operationId: 'createQuota',
  tag: 'Quotas',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Adds a quota to a tenant, in addition to the monthly one',
  answers: { 201: Quota.describe('The quota was added. What its open period has used counts already.') },
  problems: ['tenant_not_found', 'quota_exists'],
  body: QuotaSettings.extend({ tenant: TenantRef }).meta({ id: 'QuotaInput', examples: [examples.quotaInput] }),
  async handle(ctx, { body: { tenant, ...settings }, caller }) {
    return json(201, await createQuota(ctx.database, actorOf(caller), tenant, settings))
  },
})
