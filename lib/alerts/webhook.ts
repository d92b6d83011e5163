import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Bound } from '../auth/caller.ts'
import { type Database, query } from '../store/database.ts'
import { Instant, asUuid, must, noSuch, text } from '../schema.ts'
import { Problem } from '../problem.ts'
import { urlMistake } from './public_address.ts'
import { loadSql } from '../store/sql.ts'
import * as examples from '../site/examples.ts'

/** slack: the text Slack's incoming webhooks take. standard: a signed event (Standard Webhooks). */
export const WebhookKind = z.enum(['slack', 'standard'], 'must be slack or standard')
export type WebhookKind = z.infer<typeof WebhookKind>

/**
 * Where messages go. What is no URL at all, or leads where none may, is found by `checkUrl`: it depends on a setting.
 */
export const WebhookUrl = text(2000)
export const Enabled = z.boolean(must('must be true or false'))

/** A webhook as the API shows it. Its URL may hold a token, so the path is masked; its secrets never show. */
export const Webhook = z
  .object({
    id: z.guid(),
    tenant: z.guid(),
    tenantName: z.string(),
    kind: WebhookKind,
    url: z.string(),
    enabled: z.boolean(),
    createdAt: Instant,
    /** During a rotation: until then, the secret before signs too. */
    previousSecretExpiresAt: Instant.optional(),
  })
  .meta({ examples: [examples.webhook] })
export type Webhook = z.infer<typeof Webhook>

/** A webhook with its signing secret, which is shown this once. A slack webhook has none. */
export const WebhookWithSecret = Webhook.extend({ secret: z.string().optional() }).meta({
  examples: [{ ...examples.webhook, secret: examples.secret }],
})

interface WebhookRow {
  id: string
  tenant_id: string
  tenant_name: string
  kind: WebhookKind
  url: string
  enabled: boolean
  created_at: Date
  previous_secret_expires_at: Date | null
  position: number
}

/** The webhook of this id, if the caller may know of it. @throws Problem webhook_not_found */
export async function getWebhook(database: Database, id: string, { tenantId = null }: Bound): Promise<Webhook> {
  const uuid = asUuid(id)
  const [row] =
    uuid === null ? [] : await query<WebhookRow>(database, loadSql('queries/webhook_list'), [uuid, tenantId, 0, 1])
  if (!row) throw new Problem('webhook_not_found', { detail: noSuch('webhook', id, '/webhooks') })
  return toWebhook(row)
}

/** A page of webhooks, of one tenant or of all, the oldest first. */
export async function listWebhooks(
  database: Database,
  tenantId: string | null,
  after: number,
  limit: number,
): Promise<{ webhooks: Webhook[]; rows: WebhookRow[] }> {
  const rows = await query<WebhookRow>(database, loadSql('queries/webhook_list'), [null, tenantId, after, limit])
  return { webhooks: rows.map(toWebhook), rows }
}

/**
 * The URL as it is stored, and its host with the port. @throws Problem invalid_request when messages may not go there
 */
export function checkUrl(given: string, allowPrivate: boolean): { url: string; host: string } {
  const mistake = urlMistake(given, allowPrivate)
  if (mistake === undefined) return { url: new URL(given).href, host: new URL(given).host }
  throw new Problem('invalid_request', { detail: `url ${mistake}`, errors: [{ field: 'url', detail: mistake }] })
}

/** A new signing secret: 256 random bits, in the form of the Standard Webhooks specification. */
export const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`

/** The URL without its path, which may hold a token, as Slack's does. */
export const maskUrl = (url: string): string => `${new URL(url).origin}/…`

const toWebhook = (row: WebhookRow): Webhook => ({
  id: row.id,
  tenant: row.tenant_id,
  tenantName: row.tenant_name,
  kind: row.kind,
  url: maskUrl(row.url),
  enabled: row.enabled,
  createdAt: row.created_at.toISOString(),
  ...(row.previous_secret_expires_at && { previousSecretExpiresAt: row.previous_secret_expires_at.toISOString() }),
})
