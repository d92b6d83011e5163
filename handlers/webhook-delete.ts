import { z } from 'zod'
import { actorOf } from '../lib/caller.ts'
import { change } from '../lib/database.ts'
import { handler, json } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'
import { Webhook, getWebhook } from '../lib/webhook.ts'

const webhookDeleteSql = loadSql('queries/webhook_delete')

/** Deletes a webhook with its deliveries, and answers what it was. */
export default handler({
  method: 'DELETE',
  path: '/api/webhooks/:webhook',
  auth: 'admin',
  tenancy: 'own',
  summary: 'Deletes a webhook with its deliveries',
  answers: { 200: Webhook },
  problems: ['webhook_not_found'],
  params: z.object({ webhook: z.string() }),
  async handle(ctx, { params, caller }) {
    const webhook = await getWebhook(ctx.database, params.webhook, caller)
    await change(ctx.database, actorOf(caller), webhookDeleteSql, [webhook.id])
    return json(200, webhook)
  },
})
