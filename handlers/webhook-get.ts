import { z } from 'zod'
import { handler, json } from '../lib/handler.ts'
import { getWebhook } from '../lib/webhook.ts'

/** One webhook. */
export default handler({
  method: 'GET',
  path: '/api/webhooks/:webhook',
  auth: 'admin',
  params: z.object({ webhook: z.string() }),
  query: z.strictObject({}),
  handle: async (ctx, { params }) => json(200, await getWebhook(ctx.database, params.webhook)),
})
