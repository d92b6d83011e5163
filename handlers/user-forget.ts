import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { forgetUser } from '../lib/admin/users.ts'
import { SplitValue } from '../lib/events/event_detail.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { TenantRef } from '../lib/schema.ts'
import * as examples from '../lib/site/examples.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'

/** Takes the name of a user out of everything that is stored. `flagmeter user forget` takes all steps. */
export default handler({
  method: 'DELETE',
  path: '/api/tenants/:tenant/users/:user',
  operationId: 'forgetUser',
  tag: 'Tenants',
  auth: 'admin',
  tenancy: 'all',
  isReport: true,
  summary: 'Forgets a user, step by step',
  answers: {
    200: z
      .object({
        examined: z.int().describe('How many raw events this step has looked at.'),
        forgotten: z.int().describe("How many of them were the user's."),
        next: z.string().describe('Pass it as `after` for the next step. The last step has none.').optional(),
      })
      .describe("The step is done. What the user has used stays counted, as the user `(forgotten)`'s.")
      .meta({ id: 'UserForgotten', examples: [examples.forgotten] }),
  },
  problems: ['tenant_not_found'],
  params: z.object({ tenant: TenantRef, user: SplitValue }),
  query: z.strictObject({ after: z.guid('must be the next of a step before').optional() }),
  async handle(ctx, { params: { tenant, user }, query: { after }, caller }) {
    const { id } = await getTenant(ctx.database, tenant)
    return json(200, await forgetUser(ctx.database, actorOf(caller), id, user, after))
  },
})
