import { z } from 'zod'
import { actorOf } from '../lib/caller.ts'
import { change } from '../lib/database.ts'
import { TenantRef } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { Problem } from '../lib/problem.ts'
import { loadSql } from '../lib/sql.ts'
import { getTenant } from '../lib/tenants.ts'
import { Enabled, WebhookKind, WebhookUrl, WebhookWithSecret, checkUrl, getWebhook, newSecret } from '../lib/webhook.ts'
import * as examples from '../lib/examples.ts'

const webhookCreateSql = loadSql('queries/webhook_create')

/** Per tenant: a crossing writes a delivery for each, in the transaction that counts events. */
const MAX_WEBHOOKS = 100

/** Adds a webhook to a tenant. The secret of a standard one is in this answer and in no other. */
export default handler({
  method: 'POST',
  path: '/api/webhooks',
  auth: 'admin',
  tenancy: 'named',
  summary: 'Adds a webhook to a tenant',
  answers: { 201: WebhookWithSecret },
  problems: ['tenant_not_found', 'too_many_webhooks'],
  body: z
    .strictObject({ tenant: TenantRef, kind: WebhookKind, url: WebhookUrl, enabled: Enabled.default(true) })
    .meta({ examples: [examples.webhookInput] }),
  async handle(ctx, { body, caller }) {
    const { url, host } = checkUrl(body.url, ctx.config.webhookAllowPrivate)
    const tenant = await getTenant(ctx.database, body.tenant)
    const secret = body.kind === 'standard' ? newSecret() : null
    const args = [tenant.id, body.kind, url, host, secret, body.enabled, MAX_WEBHOOKS]
    const [created] = await change<{ id: string | null }>(ctx.database, actorOf(caller), webhookCreateSql, args)
    if (!created?.id)
      throw new Problem('too_many_webhooks', { detail: `a tenant has at most ${MAX_WEBHOOKS} webhooks` })
    const webhook = await getWebhook(ctx.database, created.id, caller)
    return json(201, { ...webhook, ...(secret && { secret }) })
  },
})
