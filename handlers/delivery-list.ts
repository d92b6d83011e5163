import { z } from 'zod'
import { Delivery, DeliveryStatus, listDeliveries } from '../lib/alerts/delivery.ts'
import { listing } from '../lib/page.ts'
import * as examples from '../lib/site/examples.ts'

/** Deliveries, the newest first: of a tenant, of a webhook, in a status, or all. */
export default listing({
  path: '/api/deliveries',
  operationId: 'listDeliveries',
  tag: 'Alerts',
  auth: 'read',
  tenancy: 'named',
  summary: 'Messages to webhooks, the newest first',
  page: {
    id: 'DeliveryPage',
    key: 'deliveries',
    item: Delivery,
    example: examples.delivery,
    description: 'A page of messages.',
  },
  filters: {
    webhook: z.guid('must be the id of a webhook').optional(),
    status: DeliveryStatus.optional(),
  },
  list: listDeliveries,
})
