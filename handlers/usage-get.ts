import { z } from 'zod'
import { handler, json } from '../lib/http/endpoint.ts'
import { Limit } from '../lib/page.ts'
import { TenantRef, text } from '../lib/schema.ts'
import { UnknownTenant } from '../lib/tenants/unknown_tenant.ts'
import * as examples from '../lib/site/examples.ts'
import { checkSplit } from '../lib/usage/split.ts'
import { TenantUsage } from '../lib/usage/tenant_usage.ts'
import { UserUsage, readUserUsage } from '../lib/usage/user_usage.ts'
import { userOf } from '../lib/auth/caller.ts'
import { SplitValue } from '../lib/events/event_detail.ts'
import { Problem } from '../lib/problem.ts'
import { UsageBy, ValueCursor, readUsageBy } from '../lib/usage/usage_by.ts'

/** What a tenant, or a user of it, has used in its open billing period; with `by`, a page of the values of a split. */
export default handler({
  method: 'GET',
  path: '/api/usage/:tenant',
  operationId: 'getUsage',
  tag: 'Usage',
  auth: 'read',
  tenancy: 'named',
  isForUsers: true,
  isReport: ({ by }: { by?: string }) => by !== undefined,
  summary: 'What a tenant has used in its open billing period',
  answers: {
    200: z
      .union([TenantUsage, UsageBy, UserUsage])
      .describe('The usage; with `by`, a page of it by value; with `user`, of that user.')
      .meta({ examples: [examples.tenantUsage, examples.usageBy, examples.userUsage] }),
  },
  problems: ['tenant_not_found'],
  params: z.object({ tenant: TenantRef }),
  query: z
    .strictObject({
      user: SplitValue.optional().describe('Only of this user, with its counters of quotas per user.'),
      by: text(40).optional().describe('Splits by `feature`, `model`, `user`, or a dimension that is declared.'),
      after: ValueCursor,
      limit: Limit,
    })
    .refine(({ by, user }) => by === undefined || user === undefined, {
      path: ['by'],
      error: 'must not be given with user',
    }),
  async handle(ctx, { params: { tenant }, query: { by, after, limit, user: named }, caller }) {
    const user = userOf(caller, named)
    if (user !== undefined) {
      if (by !== undefined) throw new Problem('forbidden', { detail: 'this needs a key that is bound to no user' })
      return json(200, await readUserUsage(ctx.database, tenant, user, ctx.clock()))
    }
    if (by !== undefined) {
      checkSplit(ctx.config, by)
      return json(200, await readUsageBy(ctx.database, tenant, ctx.clock(), { by, after, limit }))
    }
    const usage = await ctx.usages(tenant)
    if (usage === undefined) throw new UnknownTenant(tenant)
    return { status: 200, text: usage }
  },
})
