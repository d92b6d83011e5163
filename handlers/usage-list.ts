import { z } from 'zod'
import { TenantRef } from '../lib/schema.ts'
import { handler } from '../lib/http/endpoint.ts'
import { OverviewUsage, listOverview } from '../lib/usage/overview.ts'
import { Limit, page, pageOf } from '../lib/page.ts'
import * as examples from '../lib/site/examples.ts'

/** The usage of all tenants by name, a page at a time: `after` is the `next` of the page before. */
export default handler({
  method: 'GET',
  path: '/api/usage',
  operationId: 'listUsage',
  tag: 'Usage',
  auth: 'read',
  tenancy: 'own',
  isReport: true,
  summary: 'What every tenant has used in its open billing period, and how fast',
  answers: {
    200: pageOf('UsagePage', 'tenants', OverviewUsage, examples.overview).describe(
      'A page of usage, by the names of the tenants.',
    ),
  },
  query: z.strictObject({
    after: TenantRef.optional(),
    limit: Limit,
  }),
  async handle(ctx, { query: { after, limit }, caller }) {
    const tenants = await listOverview(ctx.database, ctx.clock(), { after, limit, tenantId: caller.tenantId ?? null })
    return page('tenants', tenants, limit, (at) => tenants[at]!.tenantName)
  },
})
