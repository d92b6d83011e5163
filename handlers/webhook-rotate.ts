import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { change } from '../lib/store/database.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Problem } from '../lib/problem.ts'
import { loadSql } from '../lib/store/sql.ts'
import { WebhookWithSecret, getWebhook, newSecret } from '../lib/alerts/webhook.ts'

/**
 * Gives a standard webhook a new secret, in this answer and in no other. The old one signs too for another 24 hours.
 */
export default handler({
  method: 'POST',
  path: '/api/webhooks/:webhook/rotate',
  operationId: 'rotateWebhookSecret',
  tag: 'Alerts',
  auth: 'admin',
  tenancy: 'own',
  summary: 'Gives a standard webhook a new secret',
  answers: {
    200: WebhookWithSecret.describe('The new secret, shown this once. The previous one signs as well for 24 hours.'),
  },
  problems: ['webhook_not_found'],
  params: z.object({ webhook: z.string() }),
  async handle(ctx, { params, caller }) {
    const { id, kind } = await getWebhook(ctx.database, params.webhook, caller)
    if (kind !== 'standard') throw new Problem('invalid_request', { detail: 'a slack webhook has no secret' })
    const secret = newSecret()
    await change(ctx.database, actorOf(caller), loadSql('queries/webhook_rotate'), [id, secret])
    return json(200, { ...(await getWebhook(ctx.database, id, caller)), secret })
  },
})
