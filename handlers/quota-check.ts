import { z } from 'zod'
import { findOrCreateTenant } from '../lib/tenants/auto_create.ts'
import { type Caller, userOf } from '../lib/auth/caller.ts'
import type { Context } from '../lib/context.ts'
import { isUnavailable } from '../lib/store/outage.ts'
import { Instant } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { callFields, mostOf, roomShown, showRoom, tokensOfCall, withTokens } from '../lib/quota/asked_call.ts'
import { QuotaUsage, toQuotaUsage } from '../lib/quota/quota.ts'
import { quotaKey } from '../lib/quota/quota_cache.ts'
import { tightest } from '../lib/quota/tightest.ts'
import { UnknownTenant } from '../lib/tenants/unknown_tenant.ts'
import * as examples from '../lib/site/examples.ts'

const CheckInput = withTokens(z.strictObject(callFields)).meta({ id: 'QuotaCheckInput', examples: [examples.ask] })
type CheckInput = z.infer<typeof CheckInput>

/** Says whether a call has room in every quota. Advice: it takes nothing, and its figures are at most a second old. */
export default handler({
  method: 'POST',
  path: '/api/check',
  operationId: 'checkQuota',
  tag: 'Quotas',
  auth: 'ingest',
  tenancy: 'named',
  isForUsers: true,
  summary: 'Asks whether a call has room in every quota, without taking anything',
  answers: {
    200: z
      .object({
        allowed: z.boolean(),
        ...roomShown,
        quota: QuotaUsage.describe('The tightest quota.').optional(),
        resetAt: Instant.describe('When it starts again at 0.').optional(),
        unpriced: z
          .literal(true)
          .describe('It is a hard quota of cost, and the model has no price: it is unknown what the call takes.')
          .optional(),
        ageMs: z.int().describe('How old the figures are.').optional(),
        failMode: z
          .enum(['open', 'closed'])
          .describe("PostgreSQL does not answer: the tenant's `failMode` has decided, without figures.")
          .optional(),
      })
      .meta({
        id: 'QuotaCheck',
        description: 'Whether the call has room in every quota. Nothing was taken.',
        examples: [examples.check, { allowed: true, failMode: 'open' }],
      }),
  },
  problems: ['tenant_not_found'],
  body: CheckInput,
  handle(ctx, { body: { user, ...given }, caller }) {
    const body = { ...given, user: userOf(caller, user) }
    const tenantId = ctx.tenants.known(body.tenant)
    const isKnown = tenantId !== undefined && ctx.quotas.known(quotaKey(tenantId, body.user))
    return isKnown ? decide(ctx, tenantId, body) : look(ctx, caller, body)
  },
})

async function look(ctx: Context, caller: Caller, input: CheckInput) {
  const tenantId = await findOrCreateTenant(ctx, caller, input.tenant)
  try {
    // Without: deleted a moment ago.
    if (!(await ctx.quotas.find(quotaKey(tenantId, input.user)))) throw new UnknownTenant(input.tenant)
    return await decide(ctx, tenantId, input)
  } catch (error) {
    if (!isUnavailable(error)) throw error
    const failMode = ctx.tenants.failMode(tenantId) === 'closed' ? 'closed' : 'open'
    ctx.metrics.checks.inc({ outcome: failMode })
    return json(200, { allowed: failMode === 'open', failMode })
  }
}

function decide(ctx: Context, tenantId: string, { feature, model, user, ...input }: CheckInput) {
  const key = quotaKey(tenantId, user)
  const rows = ctx.quotas.last(key) ?? []
  const ageMs = Math.round(ctx.quotas.age(key))
  const call = { feature, model, ...input, tokens: tokensOfCall(input) }
  const answer = (nanos?: number) => {
    const { row, room, takes } = tightest(rows, { ...call, nanos })
    const isUnpriced = takes === undefined && row.hard
    const allowed = !row.hard || (takes !== undefined && takes <= room)
    ctx.metrics.checks.inc({ outcome: allowed ? 'allowed' : 'refused' })
    const quota = toQuotaUsage(row)
    const left = { ...showRoom(row.metric, room), quota, resetAt: quota.resetAt }
    return json(200, { allowed, ...left, ...(isUnpriced && { unpriced: true }), ageMs })
  }
  if (model === undefined || !rows.some(({ metric }) => metric === 'cost')) return answer()
  return mostOf(ctx.database, ctx.clock(), call).then(answer)
}
