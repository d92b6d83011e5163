import { actorOf } from '../lib/auth/caller.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Tenant, TenantSettings, createTenant } from '../lib/admin/tenants.ts'
import * as examples from '../lib/site/examples.ts'

/** Creates a tenant. */
export default handler({
  method: 'POST',
  path: '/api/tenants',
  operationId: 'createTenant',
  tag: 'Tenants',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Creates a tenant',
  answers: { 201: Tenant.describe('The tenant was created.') },
  problems: ['tenant_exists'],
  body: TenantSettings.meta({ id: 'TenantInput', examples: [examples.settings] }),
  handle: async (ctx, { body, caller }) => json(201, await createTenant(ctx.database, actorOf(caller), body)),
})
