import { z } from 'zod'
import { handler, json } from '../lib/http/endpoint.ts'
import { Webhook, getWebhook } from '../lib/alerts/webhook.ts'

/** One webhook. */
export default handler({
  method: 'GET',
  path: '/api/webhooks/:webhook',
  operationId: 'getWebhook',
  tag: 'Alerts',
  auth: 'admin',
  tenancy: 'own',
  summary: 'One webhook',
  answers: { 200: Webhook.describe('The webhook.') },
  problems: ['webhook_not_found'],
  params: z.object({ webhook: z.string() }),
  query: z.strictObject({}),
  handle: async (ctx, { params, caller }) => json(200, await getWebhook(ctx.database, params.webhook, caller)),
})
