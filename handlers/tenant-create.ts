import { actorOf } from '../lib/auth/caller.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Tenant, TenantSettings, createTenant } from '../lib/admin/tenants.ts'
import * as examples from '../lib/site/examples.ts'

/** Creates a tenant. */
export default handler({
  method: 'POST',
  path: '/api/tenants',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Creates a tenant',
  answers: { 201: Tenant },
  problems: ['tenant_exists'],
  body: TenantSettings.meta({ examples: [examples.settings] }),
  handle: async (ctx, { body, caller }) => json(201, await createTenant(ctx.database, actorOf(caller), body)),
})
