import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Tenant, TenantChanges, updateTenant } from '../lib/admin/tenants.ts'

/**
 * Changes a tenant. Newly crossed thresholds raise their alerts at once. A new billing day or time zone
 * of a large tenant continues in the background, in the consumer `rebuild`.
 */
export default handler({
  method: 'PATCH',
  path: '/api/tenants/:tenant',
  operationId: 'updateTenant',
  tag: 'Tenants',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Changes a tenant',
  answers: { 200: Tenant.describe('The tenant as it is now; `rebuild` says what is still on its way.') },
  problems: ['tenant_not_found', 'tenant_exists'],
  params: z.object({ tenant: TenantRef }),
  body: TenantChanges.refine((changes) => Object.keys(changes).length > 0, 'must hold something to change').meta({
    id: 'TenantChanges',
    examples: [{ monthlyQuota: 2_000_000 }],
  }),
  handle: async (ctx, { params, body, caller }) =>
    json(200, await updateTenant(ctx.database, actorOf(caller), params.tenant, body)),
})
