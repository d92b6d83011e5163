import { z } from 'zod'
import { actorOf } from '../lib/caller.ts'
import { change } from '../lib/database.ts'
import { TenantRef } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'
import { getTenant } from '../lib/tenants.ts'
import { Enabled, WebhookKind, WebhookUrl, WebhookWithSecret, checkUrl, getWebhook, newSecret } from '../lib/webhook.ts'
import * as examples from '../lib/examples.ts'

const webhookCreateSql = loadSql('queries/webhook_create')

/** Adds a webhook to a tenant. The secret of a standard one is in this answer and in no other. */
export default handler({
  method: 'POST',
  path: '/api/webhooks',
  auth: 'admin',
  tenancy: 'named',
  summary: 'Adds a webhook to a tenant',
  answers: { 201: WebhookWithSecret },
  problems: ['tenant_not_found'],
  body: z
    .strictObject({ tenant: TenantRef, kind: WebhookKind, url: WebhookUrl, enabled: Enabled.default(true) })
    .meta({ examples: [examples.webhookInput] }),
  async handle(ctx, { body, caller }) {
    const { url, host } = checkUrl(body.url, ctx.config.webhookAllowPrivate)
    const tenant = await getTenant(ctx.database, body.tenant)
    const secret = body.kind === 'standard' ? newSecret() : null
    const args = [tenant.id, body.kind, url, host, secret, body.enabled]
    const [created] = await change<{ id: string }>(ctx.database, actorOf(caller), webhookCreateSql, args)
    const webhook = await getWebhook(ctx.database, created!.id, caller)
    return json(201, { ...webhook, ...(secret && { secret }) })
  },
})
