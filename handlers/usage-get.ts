import { z } from 'zod'
import { TenantRef } from '../lib/schema.ts'
import { handler } from '../lib/http/endpoint.ts'
import { UnknownTenant } from '../lib/tenants/unknown_tenant.ts'
import { TenantUsage } from '../lib/usage/tenant_usage.ts'

/** What a tenant has used in its open billing period. */
export default handler({
  method: 'GET',
  path: '/api/usage/:tenant',
  operationId: 'getUsage',
  tag: 'Usage',
  auth: 'read',
  tenancy: 'named',
  summary: 'What a tenant has used in its open billing period',
  answers: { 200: TenantUsage.describe('The usage, and what is left of each quota.') },
  problems: ['tenant_not_found'],
  params: z.object({ tenant: TenantRef }),
  query: z.strictObject({}),
  async handle(ctx, { params: { tenant } }) {
    const text = await ctx.usages(tenant)
    if (text === undefined) throw new UnknownTenant(tenant)
    return { status: 200, text }
  },
})
