import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Tenant, deleteTenant } from '../lib/admin/tenants.ts'

/**
 * Deletes a tenant for good: at once its settings, keys, webhooks and quotas, so that nothing of it is seen or sent any
 * more; what it has gathered in the background, by the consumer `prune`. The audit log keeps what it says of the
 * tenant. The name is free again.
 */
export default handler({
  method: 'DELETE',
  path: '/api/tenants/:tenant',
  operationId: 'deleteTenant',
  tag: 'Tenants',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Deletes a tenant with all its data',
  answers: { 200: Tenant.describe('The tenant is deleted. This is what it was.') },
  problems: ['tenant_not_found'],
  params: z.object({ tenant: TenantRef }),
  handle: async (ctx, { params, caller }) =>
    json(200, await deleteTenant(ctx.database, actorOf(caller), params.tenant)),
})
