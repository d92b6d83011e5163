import { z } from 'zod'
import { findOrCreateTenant } from '../lib/tenants/auto_create.ts'
import type { Caller } from '../lib/auth/caller.ts'
import type { Context } from '../lib/context.ts'
import { isUnavailable } from '../lib/store/outage.ts'
import { Feature, Tokens } from '../lib/events/event.ts'
import { TenantRef } from '../lib/schema.ts'
import { type Answer, handler, json } from '../lib/http/endpoint.ts'
import { QuotaUsage, tightest } from '../lib/quota/quota.ts'
import { UnknownTenant } from '../lib/tenants/unknown_tenant.ts'
import * as examples from '../lib/site/examples.ts'

const CheckInput = z.strictObject({ tenant: TenantRef, feature: Feature, tokens: Tokens })
type CheckInput = z.infer<typeof CheckInput>

/** Says whether so many tokens are left. Advice: it takes nothing, and its figures are at most a second old. */
export default handler({
  method: 'POST',
  path: '/api/check',
  auth: 'ingest',
  tenancy: 'named',
  summary: 'Asks whether so many tokens are left, without taking them',
  answers: {
    200: z
      .object({
        allowed: z.boolean(),
        /** Of the tightest quota. */
        remaining: z.int().optional(),
        quota: QuotaUsage.optional(),
        resetAt: z.iso.datetime().optional(),
        /** How old the figures are. */
        ageMs: z.int().optional(),
        /** PostgreSQL does not answer: the tenant's `failMode` has decided, without figures. */
        failMode: z.enum(['open', 'closed']).optional(),
      })
      .meta({ examples: [examples.check, { allowed: true, failMode: 'open' }] }),
  },
  problems: ['tenant_not_found'],
  body: CheckInput.meta({ examples: [examples.ask] }),
  handle(ctx, { body, caller }) {
    const tenantId = ctx.tenants.known(body.tenant)
    return tenantId !== undefined && ctx.quotas.known(tenantId) ? decide(ctx, tenantId, body) : look(ctx, caller, body)
  },
})

async function look(ctx: Context, caller: Caller, input: CheckInput): Promise<Answer> {
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

function decide(ctx: Context, tenantId: string, { feature, tokens }: CheckInput): Answer {
  const { quota, room } = tightest(ctx.quotas.last(tenantId) ?? [], feature)
  const allowed = !quota.hard || tokens <= room
  ctx.metrics.checks.inc({ outcome: allowed ? 'allowed' : 'refused' })
  const ageMs = Math.round(ctx.quotas.age(tenantId))
  return json(200, { allowed, remaining: Math.max(0, room), quota, resetAt: quota.resetAt, ageMs })
}
