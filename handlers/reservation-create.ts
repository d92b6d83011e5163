import { z } from 'zod'
import { userOf } from '../lib/auth/caller.ts'
import { findOrCreateTenant } from '../lib/tenants/auto_create.ts'
import type { Context } from '../lib/context.ts'
import { isUnavailable } from '../lib/store/outage.ts'
import { ownId } from '../lib/events/event_id.ts'
import { Instant, whole } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { idempotencyKey } from '../lib/events/ingest.ts'
import { Problem } from '../lib/problem.ts'
import { callFields, roomShown, showRoom, tokensOfCall, withTokens } from '../lib/quota/asked_call.ts'
import { limitInWords } from '../lib/quota/limit.ts'
import { toQuotaUsage } from '../lib/quota/quota.ts'
import { reservationKey, writeReservationId } from '../lib/quota/reservation.ts'
import type { Reserved, Wanted } from '../lib/quota/reserve.ts'
import { UnknownTenant } from '../lib/tenants/unknown_tenant.ts'
import { dollarsInWords } from '../lib/prices/money.ts'
import { withCommas } from '../lib/words.ts'
import * as examples from '../lib/site/examples.ts'

const DEFAULT_TTL_SECONDS = 300
const MAX_TTL_SECONDS = 3600

/** Sets aside what a call may come to before it is made: all of it in every hard quota, or nothing in any. */
export default handler({
  method: 'POST',
  path: '/api/reservations',
  operationId: 'createReservation',
  tag: 'Reservations',
  auth: 'ingest',
  tenancy: 'named',
  isForUsers: true,
  summary: 'Sets tokens aside before they are spent',
  answers: {
    201: z
      .object({
        id: z.string(),
        expiresAt: Instant.describe('If it is not settled by then, it lapses.'),
        ...roomShown,
        failMode: z
          .literal('open')
          .describe("PostgreSQL does not answer, and the tenant's `failMode` is open: nothing is held.")
          .optional(),
      })
      .meta({ id: 'Reservation', description: 'The tokens are held.', examples: [examples.reservation] }),
  },
  takesIdempotencyKey: true,
  problems: ['tenant_not_found', 'quota_exceeded', 'idempotency_key_reused'],
  body: withTokens(
    z.strictObject({ ...callFields, ttlSeconds: whole(1, MAX_TTL_SECONDS).default(DEFAULT_TTL_SECONDS) }),
  ).meta({ id: 'ReservationInput', examples: [examples.ask] }),
  async handle(ctx, { body: { tenant, user: named, ...body }, caller, header }) {
    const user = userOf(caller, named)
    const key = idempotencyKey(header)
    const tenantId = ctx.tenants.known(tenant) ?? (await findOrCreateTenant(ctx, caller, tenant))
    const wanted = {
      ...body,
      ...(user !== undefined && { user }),
      tokens: tokensOfCall(body),
      tenantId,
      id: ownId('reservation'),
      createdAt: ctx.clock(),
      ...(key !== undefined && { key: reservationKey(tenantId, key) }),
    }
    let reserved
    try {
      reserved = await ctx.reservations.reserve(wanted)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      return json(201, withoutHold(ctx, wanted))
    }
    if (!reserved) throw new UnknownTenant(tenant) // deleted a moment ago
    if (reserved.isOther) {
      const detail =
        'a reservation of other tokens, or another feature, model or user, was made with this Idempotency-Key'
      throw new Problem('idempotency_key_reused', { detail })
    }
    ctx.metrics.reservations.inc({ outcome: reserved.granted ? 'granted' : 'refused' })
    if (!reserved.granted) throw exceeded(wanted.tokens, reserved)
    return json(201, {
      id: writeReservationId({ ...wanted, id: reserved.id, createdAt: reserved.createdAt }),
      expiresAt: new Date(reserved.expiresAt).toISOString(),
      ...showRoom(reserved.metric, reserved.remaining),
    })
  },
})

function exceeded(tokens: number, { metric, remaining, quota: row, unpriced }: Reserved & { granted: false }): Problem {
  const quota = toQuotaUsage(row)
  const room = metric === 'cost' ? dollarsInWords(BigInt(remaining)) : withCommas(remaining)
  const asked = { tokens: `; ${withCommas(tokens)} were requested`, requests: '', cost: '; the call may cost more' }[
    metric
  ]
  const unknown = 'a quota limits the cost, and it is unknown what this call may cost: send its model, or set a price'
  const detail = unpriced ? unknown : `${room} of ${limitInWords(quota)} are left${asked}`
  const extra = { ...showRoom(metric, remaining), quota, resetAt: quota.resetAt, ...(unpriced && { unpriced }) }
  return new Problem('quota_exceeded', { detail, ...extra })
}

/** The database does not answer: nothing is held. If only its answer got lost, the hold lapses or is settled. */
function withoutHold(ctx: Context, wanted: Wanted) {
  const failMode = ctx.tenants.failMode(wanted.tenantId) === 'open' ? 'open' : 'closed'
  ctx.metrics.reservations.inc({ outcome: failMode })
  if (failMode === 'closed') {
    const detail = 'the database does not answer; try again with the same Idempotency-Key'
    throw new Problem('unavailable', { detail, failMode }, { 'retry-after': '1' })
  }
  const expiresAt = new Date(wanted.createdAt + wanted.ttlSeconds * 1000).toISOString()
  return { id: writeReservationId(wanted), expiresAt, failMode } as const
}
