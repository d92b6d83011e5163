import { z } from 'zod'
import { query } from '../lib/database.ts'
import { handler, json } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'
import { Enabled, WebhookUrl, checkUrl, getWebhook } from '../lib/webhook.ts'

const webhookUpdateSql = loadSql('queries/webhook_update')

/** Changes where a webhook leads, or whether it is used. What waits for one that is disabled is dead, and can be retried. */
export default handler({
  method: 'PATCH',
  path: '/api/webhooks/:webhook',
  auth: 'admin',
  params: z.object({ webhook: z.string() }),
  body: z
    .strictObject({ url: WebhookUrl.optional(), enabled: Enabled.optional() })
    .refine((changes) => Object.keys(changes).length > 0, 'must hold url or enabled'),
  async handle(ctx, { params, body }) {
    const target = body.url === undefined ? undefined : checkUrl(body.url, ctx.config.webhookAllowPrivate)
    const { id } = await getWebhook(ctx.database, params.webhook)
    await query(ctx.database, webhookUpdateSql, [id, target?.url ?? null, target?.host ?? null, body.enabled ?? null])
    return json(200, await getWebhook(ctx.database, id))
  },
})
