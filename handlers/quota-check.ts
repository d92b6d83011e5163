import { z } from 'zod'
import { findOrCreateTenant } from '../lib/tenants/auto_create.ts'
import type { Caller } from '../lib/auth/caller.ts'
import type { Context } from '../lib/context.ts'
import { isUnavailable } from '../lib/store/outage.ts'
import { Feature } from '../lib/events/event.ts'
import { Tokens } from '../lib/events/event_detail.ts'
import { Instant, TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { QuotaUsage, tightest } from '../lib/quota/quota.ts'
import { UnknownTenant } from '../lib/tenants/unknown_tenant.ts'
import * as examples from '../lib/site/examples.ts'

const CheckInput = z
  .strictObject({ tenant: TenantRef, feature: Feature, tokens: Tokens })
  .meta({ id: 'QuotaCheckInput', examples: [examples.ask] })
type CheckInput = z.infer<typeof CheckInput>

/** Says whether so many tokens are left. Advice: it takes nothing, and its figures are at most a second old. */
export default handler({
  method: 'POST',
  path: '/api/check',
  operationId: 'checkQuota',
  tag: 'Quotas',
  auth: 'ingest',
  tenancy: 'named',
  summary: 'Asks whether so many tokens are left, without taking them',
  answers: {
    200: z
      .object({
        allowed: z.boolean(),
        remaining: z.int().describe('Tokens left of the tightest quota.').optional(),
        quota: QuotaUsage.describe('The tightest quota.').optional(),
        resetAt: Instant.describe('When it starts again at 0.').optional(),
        ageMs: z.int().describe('How old the figures are.').optional(),
        failMode: z
          .enum(['open', 'closed'])
          .describe("PostgreSQL does not answer: the tenant's `failMode` has decided, without figures.")
          .optional(),
      })
      .meta({
        id: 'QuotaCheck',
        description: 'Whether so many tokens are left. Nothing was taken.',
        examples: [examples.check, { allowed: true, failMode: 'open' }],
      }),
  },
  problems: ['tenant_not_found'],
  body: CheckInput,
  handle(ctx, { body, caller }) {
    const tenantId = ctx.tenants.known(body.tenant)
    return tenantId !== undefined && ctx.quotas.known(tenantId) ? decide(ctx, tenantId, body) : look(ctx, caller, body)
  },
})

async function look(ctx: Context, caller: Caller, input: CheckInput) {
  const tenantId = await findOrCreateTenant(ctx, caller, input.tenant)
  try {
    if (!(await ctx.quotas.find(tenantId))) throw new UnknownTenant(input.tenant) // deleted a moment ago
  } catch (error) {
    if (!isUnavailable(error)) throw error
    const failMode = ctx.tenants.failMode(tenantId) === 'closed' ? 'closed' : 'open'
    ctx.metrics.checks.inc({ outcome: failMode })
    return json(200, { allowed: failMode === 'open', failMode })
  }
  return decide(ctx, tenantId, input)
}

function decide(ctx: Context, tenantId: string, { feature, tokens }: CheckInput) {
  const { quota, room } = tightest(ctx.quotas.last(tenantId) ?? [], feature)
  const allowed = !quota.hard || tokens <= room
  ctx.metrics.checks.inc({ outcome: allowed ? 'allowed' : 'refused' })
  const ageMs = Math.round(ctx.quotas.age(tenantId))
  return json(200, { allowed, remaining: Math.max(0, room), quota, resetAt: quota.resetAt, ageMs })
}
