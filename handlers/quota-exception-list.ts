import { z } from 'zod'
import { QuotaException, listExceptions } from '../lib/admin/quota_exceptions.ts'
import { handler } from '../lib/http/endpoint.ts'
import { Limit, NameCursor, page, pageOf } from '../lib/page.ts'
import * as examples from '../lib/site/examples.ts'

/** The users with a limit of their own in a quota, by name. */
export default handler({
  method: 'GET',
  path: '/api/quotas/:quota/users',
  operationId: 'listQuotaExceptions',
  tag: 'Quotas',
  auth: 'read',
  tenancy: 'all',
  isReport: true,
  summary: 'Users with a limit of their own',
  answers: {
    200: pageOf('QuotaExceptionPage', 'users', QuotaException, examples.quotaException).describe('A page of users.'),
  },
  problems: ['quota_not_found'],
  params: z.object({ quota: z.string() }),
  query: z.strictObject({ after: NameCursor, limit: Limit }),
  async handle(ctx, { params: { quota }, query: { after, limit } }) {
    const users = await listExceptions(ctx.database, quota, undefined, after, limit)
    return page('users', users, limit, (at) => Buffer.from(users[at]!.user).toString('base64url'))
  },
})
