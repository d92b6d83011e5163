import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { change } from '../lib/store/database.ts'
import { TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { Problem } from '../lib/problem.ts'
import { loadSql } from '../lib/store/sql.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import {
  Enabled,
  WebhookKind,
  WebhookUrl,
  WebhookWithSecret,
  checkUrl,
  getWebhook,
  newSecret,
} from '../lib/alerts/webhook.ts'
import * as examples from '../lib/site/examples.ts'

/** Per tenant: a crossing writes a delivery for each, in the transaction that counts events. */
const MAX_WEBHOOKS = 100

/** Adds a webhook to a tenant. The secret of a standard one is in this answer and in no other. */
export default handler({
  method: 'POST',
  path: '/api/webhooks',
  operationId: 'createWebhook',
  tag: 'Alerts',
  auth: 'admin',
  tenancy: 'named',
  summary: 'Adds a webhook to a tenant',
  answers: { 201: WebhookWithSecret.describe('The webhook was added. Its secret is shown this once.') },
  problems: ['tenant_not_found', 'too_many_webhooks'],
  body: z
    .strictObject({ tenant: TenantRef, kind: WebhookKind, url: WebhookUrl, enabled: Enabled.default(true) })
    .meta({ id: 'WebhookInput', examples: [examples.webhookInput] }),
  async handle(ctx, { body, caller }) {
    const { url, host } = checkUrl(body.url, ctx.config.webhookAllowPrivate)
    const tenant = await getTenant(ctx.database, body.tenant)
    const secret = body.kind === 'standard' ? newSecret() : null
    const args = [tenant.id, body.kind, url, host, secret, body.enabled, MAX_WEBHOOKS]
    const [created] = await change<{ id: string | null }>(
      ctx.database,
      actorOf(caller),
      loadSql('queries/webhook_create'),
      args,
    )
    if (!created?.id)
      throw new Problem('too_many_webhooks', { detail: `a tenant has at most ${MAX_WEBHOOKS} webhooks` })
    const webhook = await getWebhook(ctx.database, created.id, caller)
    return json(201, { ...webhook, ...(secret && { secret }) })
  },
})
