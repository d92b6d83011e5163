import { Webhook, listWebhooks } from '../lib/alerts/webhook.ts'
import { listing } from '../lib/page.ts'
import * as examples from '../lib/site/examples.ts'

/** The webhooks of a tenant, or of all, the oldest first. */
export default listing({
  path: '/api/webhooks',
  operationId: 'listWebhooks',
  tag: 'Alerts',
  auth: 'admin',
  tenancy: 'named',
  summary: 'The webhooks of a tenant, or of all',
  page: {
    id: 'WebhookPage',
    key: 'webhooks',
    item: Webhook,
    example: examples.webhook,
    description: 'A page of webhooks.',
  },
  list: listWebhooks,
})
