import { z } from 'zod'
import { query } from '../lib/store/database.ts'
import { Delivery, getDelivery } from '../lib/alerts/delivery.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { loadSql } from '../lib/store/sql.ts'
import { Problem } from '../lib/problem.ts'
import { getWebhook } from '../lib/alerts/webhook.ts'

/** Per webhook and minute: the receiver did not ask for them. */
const MOST_TESTS = 10

/**
 * Puts a test message into the outbox, also of a webhook that is disabled. It is tried once; the delivery tells what
 * came of it.
 */
export default handler({
  method: 'POST',
  path: '/api/webhooks/:webhook/test',
  operationId: 'testWebhook',
  tag: 'Alerts',
  auth: 'admin',
  tenancy: 'own',
  summary: 'Sends a test message',
  answers: { 202: Delivery.describe('A test message is due. It is tried once.') },
  problems: ['webhook_not_found'],
  params: z.object({ webhook: z.string() }),
  async handle(ctx, { params, caller }) {
    const { id } = await getWebhook(ctx.database, params.webhook, caller)
    const [created] = await query<{ id: string | null }>(ctx.database, loadSql('queries/webhook_test'), [
      id,
      MOST_TESTS,
    ])
    if (!created?.id)
      throw new Problem(
        'rate_limited',
        { detail: `a webhook gets at most ${MOST_TESTS} test messages in a minute` },
        { 'retry-after': '60' },
      )
    return json(202, await getDelivery(ctx.database, created.id, caller))
  },
})
