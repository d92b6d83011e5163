import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { QuotaException, setException } from '../lib/admin/quota_exceptions.ts'
import { SplitValue } from '../lib/events/event_detail.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { limitFields, withOneLimit } from '../lib/quota/quota_settings.ts'

/** Gives one user a limit of its own in a quota per user. */
export default handler({
  method: 'PUT',
  path: '/api/quotas/:quota/users/:user',
  operationId: 'setQuotaException',
  tag: 'Quotas',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Gives one user a limit of its own',
  answers: { 200: QuotaException.describe('The limit counts for this user from now on.') },
  problems: ['quota_not_found'],
  params: z.object({ quota: z.string(), user: SplitValue }),
  body: withOneLimit(z.strictObject(limitFields)).meta({ id: 'QuotaLimit', examples: [{ costLimit: '25' }] }),
  handle: async (ctx, { params: { quota, user }, body, caller }) =>
    json(200, await setException(ctx.database, actorOf(caller), quota, user, body)),
})
