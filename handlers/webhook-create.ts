import { z } from 'zod'
import { query } from '../lib/database.ts'
import { TenantRef } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'
import { getTenant } from '../lib/tenants.ts'
import { Enabled, WebhookKind, WebhookUrl, checkUrl, getWebhook, newSecret } from '../lib/webhook.ts'

const webhookCreateSql = loadSql('queries/webhook_create')

/** Adds a webhook to a tenant. The secret of a standard one is in this answer and in no other. */
export default handler({
  method: 'POST',
  path: '/api/webhooks',
  auth: 'admin',
  body: z.strictObject({
    tenant: TenantRef,
    kind: WebhookKind,
    url: WebhookUrl,
    enabled: Enabled.default(true),
  }),
  async handle(ctx, { body }) {
    const { url, host } = checkUrl(body.url, ctx.config.webhookAllowPrivate)
    const tenant = await getTenant(ctx.database, body.tenant)
    const secret = body.kind === 'standard' ? newSecret() : null
    const args = [tenant.id, body.kind, url, host, secret, body.enabled]
    const [created] = await query<{ id: string }>(ctx.database, webhookCreateSql, args)
    const webhook = await getWebhook(ctx.database, created!.id)
    return json(201, { ...webhook, ...(secret && { secret }) })
  },
})
