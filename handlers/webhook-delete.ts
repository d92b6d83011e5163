import { z } from 'zod'
import { query } from '../lib/database.ts'
import { handler, json } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'
import { getWebhook } from '../lib/webhook.ts'

const webhookDeleteSql = loadSql('queries/webhook_delete')

/** Deletes a webhook with its deliveries, and answers what it was. */
export default handler({
  method: 'DELETE',
  path: '/api/webhooks/:webhook',
  auth: 'admin',
  params: z.object({ webhook: z.string() }),
  async handle(ctx, { params }) {
    const webhook = await getWebhook(ctx.database, params.webhook)
    await query(ctx.database, webhookDeleteSql, [webhook.id])
    return json(200, webhook)
  },
})
