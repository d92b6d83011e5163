import { z } from 'zod'
import { query } from '../lib/database.ts'
import { handler, json } from '../lib/handler.ts'
import { Problem } from '../lib/problem.ts'
import { loadSql } from '../lib/sql.ts'
import { getWebhook, newSecret } from '../lib/webhook.ts'

const webhookRotateSql = loadSql('queries/webhook_rotate')

/** Gives a standard webhook a new secret, in this answer and in no other. The old one signs too for another 24 hours. */
export default handler({
  method: 'POST',
  path: '/api/webhooks/:webhook/rotate',
  auth: 'admin',
  params: z.object({ webhook: z.string() }),
  async handle(ctx, { params }) {
    const { id, kind } = await getWebhook(ctx.database, params.webhook)
    if (kind !== 'standard') throw new Problem('invalid_request', { detail: 'a slack webhook has no secret' })
    const secret = newSecret()
    await query(ctx.database, webhookRotateSql, [id, secret])
    return json(200, { ...(await getWebhook(ctx.database, id)), secret })
  },
})
