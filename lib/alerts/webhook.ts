import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Bound } from '../auth/caller.ts'
import type { Database } from '../store/connection.ts'
import { type Listed, list } from '../store/document.ts'
import { Instant, asUuid, must, noSuch, text } from '../schema.ts'
import { Problem } from '../problem.ts'
import { urlMistake } from './public_address.ts'
import * as examples from '../site/examples.ts'

/** slack: the text Slack's incoming webhooks take. standard: a signed event (Standard Webhooks). */
export const WebhookKind = z.enum(['slack', 'standard'], 'must be slack or standard').meta({
  id: 'WebhookKind',
  description: 'slack: a text for a Slack incoming webhook. standard: a signed event (Standard Webhooks).',
})
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
    url: z.string().describe('Its path is masked: it may hold a token.'),
    enabled: z.boolean(),
    createdAt: Instant,
    previousSecretExpiresAt: Instant.describe(
      'Until then, after a rotation, the previous secret signs as well.',
    ).optional(),
  })
  .meta({ id: 'Webhook', description: 'Where alerts of a tenant are sent.', examples: [examples.webhook] })
export type Webhook = z.infer<typeof Webhook>

/** A webhook with its signing secret, which is shown this once. A slack webhook has none. */
export const WebhookWithSecret = Webhook.extend({
  secret: z.string().describe('The signing secret, shown this once. A slack webhook has none.').optional(),
}).meta({
  id: 'WebhookWithSecret',
  description: 'A webhook with its new signing secret.',
  examples: [{ ...examples.webhook, secret: examples.secret }],
})

/** The webhook of this id, if the caller may know of it. @throws Problem webhook_not_found */
export async function getWebhook(database: Database, ref: string, { tenantId = null }: Bound): Promise<Webhook> {
  const id = asUuid(ref)
  const [webhook] = id === null ? [] : (await list<Webhook>(database, 'webhook_list', [id, tenantId, 0, 1])).items
  if (!webhook) throw new Problem('webhook_not_found', { detail: noSuch('webhook', ref, '/webhooks') })
  return webhook
}

/** A page of webhooks, of one tenant or of all, the oldest first. */
export const listWebhooks = (
  database: Database,
  tenantId: string | null,
  after: number | null,
  limit: number,
): Promise<Listed<Webhook>> => list(database, 'webhook_list', [null, tenantId, after ?? 0, limit])

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
