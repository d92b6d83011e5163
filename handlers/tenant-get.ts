import { z } from 'zod'
import { TenantRef } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { Tenant, toTenant } from '../lib/tenant_admin.ts'
import { getTenant } from '../lib/tenants.ts'

/** One tenant, with its quota, billing day, time zone and thresholds. */
export default handler({
  method: 'GET',
  path: '/api/tenants/:tenant',
  auth: 'read',
  tenancy: 'named',
  summary: 'One tenant',
  answers: { 200: Tenant },
  problems: ['tenant_not_found'],
  params: z.object({ tenant: TenantRef }),
  query: z.strictObject({}),
  handle: async (ctx, { params }) => json(200, toTenant(await getTenant(ctx.database, params.tenant))),
})
