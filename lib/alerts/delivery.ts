import { z } from 'zod'
import type { Bound } from '../auth/caller.ts'
import type { Database } from '../store/connection.ts'
import { type Listed, list } from '../store/document.ts'
import { Instant, asUuid, noSuch } from '../schema.ts'
import { Problem } from '../problem.ts'
import { WebhookKind } from './webhook.ts'
import * as examples from '../site/examples.ts'

/** pending: due or waiting for its next try; sending: on its way; delivered and dead: at rest. */
export const DELIVERY_STATUS = ['pending', 'sending', 'delivered', 'dead'] as const
export const DeliveryStatus = z.enum(DELIVERY_STATUS, `must be one of ${DELIVERY_STATUS.join(', ')}`).meta({
  id: 'DeliveryStatus',
  description: 'pending: due, or waiting for its next try; sending: on its way; delivered and dead: at rest.',
})
export type DeliveryStatus = z.infer<typeof DeliveryStatus>

/** One alert for one webhook, as the API shows it. Without an alert it is a test message. */
export const Delivery = z
  .object({
    id: z.guid(),
    tenant: z.guid(),
    tenantName: z.string(),
    webhook: z.guid(),
    kind: WebhookKind,
    url: z.string().describe('Its path is masked: it may hold a token.'),
    alert: z.guid().describe('The alert it reports. Absent for a test message.').optional(),
    threshold: z.int().describe('The threshold of the alert, in percent.').optional(),
    status: DeliveryStatus,
    attempts: z.int().describe('Tries so far.'),
    nextAttemptAt: Instant.optional(),
    responseStatus: z.int().describe('What the receiver answered the last try, if it did.').optional(),
    reason: z.string().describe('Why the last try failed.').optional(),
    createdAt: Instant,
    finishedAt: Instant.optional(),
  })
  .meta({
    id: 'Delivery',
    description: 'A message to a webhook, and how its delivery went.',
    examples: [examples.delivery],
  })
export type Delivery = z.infer<typeof Delivery>

/** Which deliveries to list; undefined: any. */
export interface DeliveryFilter {
  webhook?: string | undefined
  status?: DeliveryStatus | undefined
}

/** A page of deliveries, of one tenant or of all, the newest first. */
export const listDeliveries = (
  database: Database,
  tenantId: string | null,
  before: number | null,
  limit: number,
  { webhook, status }: DeliveryFilter,
): Promise<Listed<Delivery>> =>
  list(database, 'delivery_list', [null, tenantId, webhook ?? null, status ?? null, before, limit])

/** The delivery of this id, if the caller may know of it. @throws Problem delivery_not_found */
export async function getDelivery(database: Database, ref: string, { tenantId = null }: Bound): Promise<Delivery> {
  const id = asUuid(ref)
  const args = [id, tenantId, null, null, null, 1]
  const [delivery] = id === null ? [] : (await list<Delivery>(database, 'delivery_list', args)).items
  if (!delivery) throw new Problem('delivery_not_found', { detail: noSuch('delivery', ref, '/deliveries') })
  return delivery
}
