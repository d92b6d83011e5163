import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { QuotaException, deleteException } from '../lib/admin/quota_exceptions.ts'
import { SplitValue } from '../lib/events/event_detail.ts'
import { handler, json } from '../lib/http/endpoint.ts'

/** Takes away the own limit of a user: the limit of the quota counts again. */
export default handler({
  method: 'DELETE',
  path: '/api/quotas/:quota/users/:user',
  operationId: 'deleteQuotaException',
  tag: 'Quotas',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Takes away the own limit of a user',
  answers: { 200: QuotaException.describe('It is gone: the limit of the quota counts again.') },
  problems: ['quota_not_found', 'user_not_found'],
  params: z.object({ quota: z.string(), user: SplitValue }),
  handle: async (ctx, { params: { quota, user }, caller }) =>
    json(200, await deleteException(ctx.database, actorOf(caller), quota, user)),
})
