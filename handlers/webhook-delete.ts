import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { change } from '../lib/store/database.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { loadSql } from '../lib/store/sql.ts'
import { Webhook, getWebhook } from '../lib/alerts/webhook.ts'

/** Deletes a webhook with its deliveries, and answers what it was. */
export default handler({
  method: 'DELETE',
  path: '/api/webhooks/:webhook',
  operationId: 'deleteWebhook',
  tag: 'Alerts',
  auth: 'admin',
  tenancy: 'own',
  summary: 'Deletes a webhook with its deliveries',
  answers: { 200: Webhook.describe('The webhook is deleted. This is what it was.') },
  problems: ['webhook_not_found'],
  params: z.object({ webhook: z.string() }),
  async handle(ctx, { params, caller }) {
    const webhook = await getWebhook(ctx.database, params.webhook, caller)
    await change(ctx.database, actorOf(caller), loadSql('queries/webhook_delete'), [webhook.id])
    return json(200, webhook)
  },
})
