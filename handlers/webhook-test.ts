import { z } from 'zod'
import { query } from '../lib/database.ts'
import { Delivery, getDelivery } from '../lib/delivery.ts'
import { handler, json } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'
import { getWebhook, noWebhook } from '../lib/webhook.ts'

const webhookTestSql = loadSql('queries/webhook_test')

/** Puts a test message into the outbox, also of a webhook that is disabled. It is tried once; the delivery tells what came of it. */
export default handler({
  method: 'POST',
  path: '/api/webhooks/:webhook/test',
  auth: 'admin',
  tenancy: 'own',
  summary: 'Sends a test message',
  answers: { 202: Delivery },
  problems: ['webhook_not_found'],
  params: z.object({ webhook: z.string() }),
  async handle(ctx, { params, caller }) {
    const { id } = await getWebhook(ctx.database, params.webhook, caller)
    const [created] = await query<{ id: string }>(ctx.database, webhookTestSql, [id])
    if (!created) throw noWebhook()
    return json(202, await getDelivery(ctx.database, created.id, caller))
  },
})
