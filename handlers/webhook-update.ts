import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { change } from '../lib/store/database.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { loadSql } from '../lib/store/sql.ts'
import { Enabled, Webhook, WebhookUrl, checkUrl, getWebhook } from '../lib/alerts/webhook.ts'

/**
 * Changes where a webhook leads, or whether it is used. What waits for one that is disabled is dead, and can be
 * retried.
 */
export default handler({
  method: 'PATCH',
  path: '/api/webhooks/:webhook',
  operationId: 'updateWebhook',
  tag: 'Alerts',
  auth: 'admin',
  tenancy: 'own',
  summary: 'Changes a webhook',
  answers: { 200: Webhook.describe('The webhook as it is now.') },
  problems: ['webhook_not_found'],
  params: z.object({ webhook: z.string() }),
  body: z
    .strictObject({ url: WebhookUrl.optional(), enabled: Enabled.optional() })
    .refine((changes) => Object.keys(changes).length > 0, 'must hold url or enabled')
    .meta({ id: 'WebhookChanges', examples: [{ enabled: true }] }),
  async handle(ctx, { params, body, caller }) {
    const target = body.url === undefined ? undefined : checkUrl(body.url, ctx.config.webhookAllowPrivate)
    const { id } = await getWebhook(ctx.database, params.webhook, caller)
    const args = [id, target?.url ?? null, target?.host ?? null, body.enabled ?? null]
    await change(ctx.database, actorOf(caller), loadSql('queries/webhook_update'), args)
    return json(200, await getWebhook(ctx.database, id, caller))
  },
})
