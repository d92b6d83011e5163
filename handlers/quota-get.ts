import { z } from 'zod'
import { handler, json } from '../lib/http/endpoint.ts'
import { Quota, getQuota } from '../lib/admin/quotas.ts'

/** One additional quota. */
export default handler({
  method: 'GET',
  path: '/api/quotas/:quota',
  operationId: 'getQuota',
  tag: 'Quotas',
  auth: 'read',
  tenancy: 'own',
  summary: 'One quota',
  answers: { 200: Quota.describe('The quota.') },
  problems: ['quota_not_found'],
  params: z.object({ quota: z.string() }),
  query: z.strictObject({}),
  handle: async (ctx, { params, caller }) => json(200, await getQuota(ctx.database, params.quota, caller)),
})
