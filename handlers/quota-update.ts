import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { QuotaChanges } from '../lib/quota/quota_settings.ts'
import { Quota, updateQuota } from '../lib/admin/quotas.ts'

/** Changes a quota. Newly crossed thresholds raise their alerts at once. */
export default handler({
  method: 'PATCH',
  path: '/api/quotas/:quota',
  operationId: 'updateQuota',
  tag: 'Quotas',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Changes a quota',
  answers: { 200: Quota.describe('The quota as it is now.') },
  problems: ['quota_not_found', 'quota_exists'],
  params: z.object({ quota: z.string() }),
  body: QuotaChanges.refine((changes) => Object.keys(changes).length > 0, 'must hold a limit, hard or thresholds').meta(
    { id: 'QuotaChanges', examples: [{ tokenLimit: 75_000 }] },
  ),
  async handle(ctx, { params, body, caller }) {
    return json(200, await updateQuota(ctx.database, actorOf(caller), params.quota, body))
  },
})
