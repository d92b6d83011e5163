import { z } from 'zod'
import { TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Tenant } from '../lib/admin/tenants.ts'
import { toDocument } from '../lib/store/document.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'

/** One tenant, with its quota, billing day, time zone and thresholds. */
export default handler({
  method: 'GET',
  path: '/api/tenants/:tenant',
  operationId: 'getTenant',
  tag: 'Tenants',
  auth: 'read',
  tenancy: 'named',
  summary: 'One tenant',
  answers: { 200: Tenant.describe('The tenant.') },
  problems: ['tenant_not_found'],
  params: z.object({ tenant: TenantRef }),
  query: z.strictObject({}),
  handle: async (ctx, { params }) => json(200, toDocument(await getTenant(ctx.database, params.tenant))),
})
