import { setTimeout as sleep } from 'node:timers/promises'
import { type CrossingRow, toCrossing } from '../lib/alerts/crossing.ts'
import type { Context } from '../lib/context.ts'
import { change, query } from '../lib/store/database.ts'
import { isUnavailable } from '../lib/store/outage.ts'
import type { DeliveryStatus } from '../lib/alerts/delivery.ts'
import { tableConsumer } from '../lib/worker/consumer.ts'
import { type AlertNotice, renderNotice } from '../lib/alerts/message.ts'
import { post } from '../lib/alerts/post.ts'
import { loadSql } from '../lib/store/sql.ts'
import type { WebhookKind } from '../lib/alerts/webhook.ts'

const EVERY_MS = 250
/** Longer than a try (10 s) and writing down what came of it (6 s, when the database is slow) may take together. */
const CLAIM_SECONDS = 20
/** Deliveries on their way at once. */
const MAX_SENDING = 256
/** Beyond this many on their way to one host, its others wait: a slow receiver has a share of the slots at most. */
const MAX_SENDING_PER_HOST = 32
const CLAIM_DELIVERIES = 32
/** A receiver may ask for a later try (Retry-After), but not postpone it forever. */
const LONGEST_WAIT_SECONDS = 24 * 60 * 60

interface Claimed extends CrossingRow {
  id: string
  tenant_id: string
  webhook_id: string
  alert_id: string | null
  attempts: number
  created_at: Date
  tenant_name: string
  kind: WebhookKind
  url: string
  host: string
  secret: string | null
  previous_secret: string | null
  enabled: boolean
}

/** How a try ended. */
interface Outcome {
  status: DeliveryStatus
  responseStatus?: number
  reason?: string
  /** Seconds until the next try. */
  pause?: number
}

/**
 * Sends what is due, each receiver at its own pace: a try that takes long is only waited for when nothing else is due.
 * An id may go out twice only after a crash between the receiver's answer and its being written down.
 */
export default tableConsumer({
  everyMs: EVERY_MS,
  async consume(ctx, stop) {
    const sending = new Map<Promise<void>, string>()
    try {
      while (!stop.aborted) {
        for (const delivery of await claim(ctx, [...sending.values()])) {
          const task = deliver(ctx, delivery).finally(() => sending.delete(task))
          sending.set(task, delivery.host)
        }
        if (sending.size === 0) return
        await Promise.race([...sending.keys(), sleep(EVERY_MS)])
      }
    } finally {
      await Promise.all(sending.keys())
    }
  },
})

/** Claims what is due, and notes how long the oldest has waited. */
async function claim(ctx: Context, busy: string[]): Promise<Claimed[]> {
  const room = Math.min(CLAIM_DELIVERIES, MAX_SENDING - busy.length)
  const full = [...new Set(busy)].filter((host) => busy.filter((h) => h === host).length >= MAX_SENDING_PER_HOST)
  const rows = await query<(Claimed | { id: null }) & { waiting_since: Date | null }>(
    ctx.database,
    loadSql('queries/delivery_claim'),
    [room, CLAIM_SECONDS, full],
  )
  const since = rows[0]?.waiting_since
  ctx.metrics.deliveryOldestSeconds.set(since ? Math.max(0, ctx.clock() - since.getTime()) / 1000 : 0)
  return rows.filter((row) => row.id !== null)
}

async function deliver(ctx: Context, delivery: Claimed): Promise<void> {
  const outcome = await attempt(ctx, delivery)
  const { id, webhook_id: webhook, attempts } = delivery
  const { status, responseStatus, reason, pause } = outcome
  ctx.metrics.deliveries.inc({ outcome: status === 'pending' ? 'retried' : status })
  if (status !== 'delivered') {
    const level = status === 'dead' ? 'error' : 'info'
    ctx.log[level]({ delivery: id, webhook, attempts, responseStatus, reason, pause }, `delivery ${status}`)
  }
  try {
    if (responseStatus === 410)
      await writeDown(() =>
        change(ctx.database, 'deliver', loadSql('queries/webhook_update'), [webhook, null, null, false]),
      )
    const args = [delivery.tenant_id, id, attempts, status, pause ?? null, responseStatus ?? null, reason ?? null]
    await writeDown(() => query(ctx.database, loadSql('queries/delivery_settle'), args))
  } catch (error) {
    // The claim ends by itself, and the delivery is tried again under the same id.
    ctx.log.warn({ delivery: id, reason: (error as Error).message }, 'the outcome of a delivery could not be written')
  }
}

async function attempt(ctx: Context, delivery: Claimed): Promise<Outcome> {
  // Between a crossing and this moment, somebody may have disabled the webhook. A test is sent all the same.
  if (!delivery.enabled && delivery.alert_id !== null) return { status: 'dead', reason: 'the webhook is disabled' }
  try {
    const { body, headers } = renderNotice(toNotice(delivery), ctx.clock())
    const { status, retryAfter } = await post({
      url: delivery.url,
      headers,
      body,
      allowPrivate: ctx.config.webhookAllowPrivate,
    })
    if (status >= 200 && status < 300) return { status: 'delivered', responseStatus: status }
    const reason = `answered ${status}`
    if (status === 410) return { status: 'dead', responseStatus: status, reason: `${reason}: the webhook is disabled` }
    return { ...failed(ctx, delivery, waitOf(retryAfter, ctx.clock())), responseStatus: status, reason }
  } catch (error) {
    return { ...failed(ctx, delivery), reason: reasonOf(error) }
  }
}

/** The next try, by the schedule and not before the receiver asks for it; dead after the last. A test has one try. */
function failed(ctx: Context, { alert_id, attempts }: Claimed, wait = 0): Outcome {
  const pause = ctx.config.deliveryRetrySeconds[attempts - 1]
  if (alert_id === null || pause === undefined) return { status: 'dead' }
  return { status: 'pending', pause: Math.max(pause * (1 + Math.random() / 10), wait) }
}

/** Seconds that a Retry-After asks for (RFC 9110, section 10.2.3: seconds, or a date); 0 when there is none. */
function waitOf(header: string | undefined, now: number): number {
  if (header === undefined) return 0
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - now) / 1000
  return Number.isNaN(seconds) ? 0 : Math.min(Math.max(seconds, 0), LONGEST_WAIT_SECONDS)
}

const TOO_LATE = 'no answer within 10 seconds'
const REASONS: Record<string, string> = {
  UND_ERR_CONNECT_TIMEOUT: TOO_LATE,
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'the name does not resolve',
  ENODATA: 'the name does not resolve',
  ESERVFAIL: 'the name could not be looked up',
  ETIMEOUT: 'the name could not be looked up',
}

/** In words that hold no URL. */
function reasonOf(error: unknown): string {
  const { code, name, message } = error as { code?: unknown; name: string; message: string }
  if (name === 'TimeoutError') return TOO_LATE
  if (code === 'FORBIDDEN_ADDRESS') return message
  return typeof code === 'string' ? (REASONS[code] ?? code) : name
}

/** Writes an outcome down even if the database blinks: else the receiver gets the message a second time. */
async function writeDown(write: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return void (await write())
    } catch (error) {
      if (!isUnavailable(error) || tries === 5) throw error
      await sleep(100 * 2 ** tries)
    }
  }
}

const toNotice = (row: Claimed): AlertNotice => ({
  id: row.id,
  tenantId: row.tenant_id,
  tenantName: row.tenant_name,
  kind: row.kind,
  createdAt: row.created_at,
  secrets: [row.secret, row.previous_secret].filter((secret) => secret !== null),
  ...(row.alert_id !== null && { crossing: { alert: row.alert_id, ...toCrossing(row) } }),
})
