import { z } from 'zod'
import type { Bound } from '../auth/caller.ts'
import { type Database, query } from '../store/database.ts'
import { Instant, asUuid, noSuch } from '../schema.ts'
import { Problem } from '../problem.ts'
import { loadSql } from '../store/sql.ts'
import { WebhookKind, maskUrl } from './webhook.ts'
import * as examples from '../site/examples.ts'

/** pending: due or waiting for its next try; sending: on its way; delivered and dead: at rest. */
export const DELIVERY_STATUS = ['pending', 'sending', 'delivered', 'dead'] as const
export const DeliveryStatus = z.enum(DELIVERY_STATUS, `must be one of ${DELIVERY_STATUS.join(', ')}`)
export type DeliveryStatus = z.infer<typeof DeliveryStatus>

/** One alert for one webhook, as the API shows it. Without an alert it is a test message. */
export const Delivery = z
  .object({
    id: z.guid(),
    tenant: z.guid(),
    tenantName: z.string(),
    webhook: z.guid(),
    kind: WebhookKind,
    url: z.string(),
    alert: z.guid().optional(),
    threshold: z.int().optional(),
    status: DeliveryStatus,
    /** Tries so far. */
    attempts: z.int(),
    nextAttemptAt: Instant.optional(),
    /** Of the last try, when there was an answer. */
    responseStatus: z.int().optional(),
    /** Why the last try failed. */
    reason: z.string().optional(),
    createdAt: Instant,
    finishedAt: Instant.optional(),
  })
  .meta({ examples: [examples.delivery] })
export type Delivery = z.infer<typeof Delivery>

interface DeliveryRow {
  id: string
  tenant_id: string
  tenant_name: string
  webhook_id: string
  kind: WebhookKind
  url: string
  alert_id: string | null
  threshold: number | null
  status: DeliveryStatus
  attempts: number
  next_attempt_at: Date | null
  response_status: number | null
  reason: string | null
  created_at: Date
  finished_at: Date | null
  position: number
}

/** Which deliveries to list; null: any. */
export interface DeliveryFilter {
  id: string | null
  tenantId: string | null
  webhookId: string | null
  status: DeliveryStatus | null
}

/** A page of deliveries, the newest first, from before a position. */
export async function listDeliveries(
  database: Database,
  { id, tenantId, webhookId, status }: DeliveryFilter,
  before: number | null,
  limit: number,
): Promise<{ deliveries: Delivery[]; rows: DeliveryRow[] }> {
  const rows = await query<DeliveryRow>(database, loadSql('queries/delivery_list'), [
    id,
    tenantId,
    webhookId,
    status,
    before,
    limit,
  ])
  return { deliveries: rows.map(toDelivery), rows }
}

/** The delivery of this id, if the caller may know of it. @throws Problem delivery_not_found */
export async function getDelivery(database: Database, ref: string, { tenantId = null }: Bound): Promise<Delivery> {
  const id = asUuid(ref)
  const filter = { id, tenantId, webhookId: null, status: null }
  const [delivery] = id === null ? [] : (await listDeliveries(database, filter, null, 1)).deliveries
  if (!delivery) throw new Problem('delivery_not_found', { detail: noSuch('delivery', ref, '/deliveries') })
  return delivery
}

const toDelivery = (row: DeliveryRow): Delivery => ({
  id: row.id,
  tenant: row.tenant_id,
  tenantName: row.tenant_name,
  webhook: row.webhook_id,
  kind: row.kind,
  url: maskUrl(row.url),
  ...(row.alert_id !== null && { alert: row.alert_id }),
  ...(row.threshold !== null && { threshold: row.threshold }),
  status: row.status,
  attempts: row.attempts,
  ...(row.next_attempt_at && { nextAttemptAt: row.next_attempt_at.toISOString() }),
  ...(row.response_status !== null && { responseStatus: row.response_status }),
  ...(row.reason !== null && { reason: row.reason }),
  createdAt: row.created_at.toISOString(),
  ...(row.finished_at && { finishedAt: row.finished_at.toISOString() }),
})
