import { createHmac } from 'node:crypto'
import type { Crossing } from './crossing.ts'
import { limitInWords } from '../quota/limit.ts'
import type { WebhookKind } from './webhook.ts'

/** What to tell, and whom. Without a crossing it is a test message. */
export interface AlertNotice {
  /** The same on every try: receivers drop what they have seen. */
  id: string
  tenantId: string
  tenantName: string
  kind: WebhookKind
  /** Of the crossing, not of the try. */
  createdAt: Date
  crossing?: Crossing & { alert: string }
  /** Signing secrets, the newest first: two during a rotation, none for Slack. */
  secrets: string[]
}

/** The body of a notice and its headers, sent at `now` (milliseconds since 1970). */
export function renderNotice(notice: AlertNotice, now: number): { body: string; headers: Record<string, string> } {
  const headers = { 'content-type': 'application/json', 'user-agent': 'FlagMeter' }
  if (notice.kind === 'slack') return { body: JSON.stringify({ text: slackText(notice) }), headers }
  const body = JSON.stringify(standardEvent(notice))
  return { body, headers: { ...headers, ...signature(notice.id, now, body, notice.secrets) } }
}

/** Slack reads &, < and > as its own marks (api.slack.com, "Escaping text"): a name must not mention a channel. */
function slackText({ tenantName, crossing }: AlertNotice): string {
  const name = escape(tenantName)
  if (!crossing) return `FlagMeter: this is a test message for tenant '${name}'.`
  const percent = Math.floor(crossing.quotaPercent)
  const who = crossing.user === undefined ? '' : `user '${escape(crossing.user)}' of `
  return `FlagMeter: ${who}tenant '${name}' has hit ${percent}% of ${escape(limitInWords(crossing.quota))}.`
}

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** The payload recommended by the Standard Webhooks specification: type, timestamp, data. */
function standardEvent({ tenantId, tenantName, createdAt, crossing }: AlertNotice): object {
  const tenant = { tenant: tenantId, tenantName }
  if (!crossing) return { type: 'webhook.test', timestamp: createdAt.toISOString(), data: tenant }
  return { type: 'quota.threshold.crossed', timestamp: createdAt.toISOString(), data: { ...tenant, ...crossing } }
}

/** The headers of the Standard Webhooks specification (symmetric, v1): one signature per secret that is valid now. */
function signature(id: string, now: number, body: string, secrets: string[]): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000))
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
  })
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}
