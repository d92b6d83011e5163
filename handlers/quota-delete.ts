import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Quota, deleteQuota } from '../lib/admin/quotas.ts'

/** Deletes a quota with its counters, and answers what it was. Its alerts stay. */
export default handler({
  method: 'DELETE',
  path: '/api/quotas/:quota',
  operationId: 'deleteQuota',
  tag: 'Quotas',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Deletes a quota with its counters',
  answers: { 200: Quota.describe('The quota is deleted. This is what it was.') },
  problems: ['quota_not_found'],
  params: z.object({ quota: z.string() }),
  async handle(ctx, { params, caller }) {
    return json(200, await deleteQuota(ctx.database, actorOf(caller), params.quota))
  },
})
