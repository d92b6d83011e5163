import { z } from 'zod'
import { MAX_TOKENS } from '../lib/pools/pools.ts'
import { whole } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { detailFields, toCounted } from '../lib/events/event_detail.ts'
import { EventAccepted, ingest, timeMistake } from '../lib/events/ingest.ts'
import { Problem, invalidInput } from '../lib/problem.ts'
import { findReservation } from '../lib/quota/reservation.ts'

const NOTHING_USED = 'if nothing was used, release the reservation instead: POST /api/reservations/{id}/release'

/**
 * Records what was really used, less or more than was reserved; the hold is given back in the transaction that counts
 * it. The event has the reservation's id and time: settling again changes nothing, and it counts where the tokens were
 * held.
 */
export default handler({
  method: 'POST',
  path: '/api/reservations/:reservation/settle',
  operationId: 'settleReservation',
  tag: 'Reservations',
  auth: 'ingest',
  tenancy: 'own',
  isForUsers: true,
  summary: 'Records what a reservation came to, and gives back its hold',
  answers: { 200: EventAccepted.describe('What was used is durable, and the hold is given back.') },
  problems: ['reservation_not_found', 'timestamp_out_of_range', 'idempotency_key_reused', 'event_rejected'],
  params: z.object({ reservation: z.string() }),
  body: z
    .strictObject({ ...detailFields, tokens: whole(1, MAX_TOKENS, NOTHING_USED).optional() })
    .meta({ id: 'Settlement', examples: [{ tokens: 1_320 }] }),
  async handle(ctx, call) {
    const reservation = await findReservation(ctx, call.caller, call.params.reservation)
    const mistake = timeMistake(ctx, reservation.createdAt)
    if (mistake !== undefined) throw new Problem('timestamp_out_of_range', { detail: `the reservation ${mistake}` })
    const counted = toCounted(call.body, ctx.config.dimensions)
    if (Array.isArray(counted)) throw new Problem('invalid_request', invalidInput(counted))
    const { model, user, ...own } = reservation
    if (user !== undefined && (call.body.user ?? user) !== user) {
      const detail = 'must be the user of the reservation, or be left out'
      throw new Problem('invalid_request', invalidInput([{ field: 'user', detail }]))
    }
    // Who has reserved as a user is counted as that user, whatever is said now; the model may have been another one.
    const detail = { ...(model && { model }), ...(user && { user }), ...counted.detail }
    const event = {
      ...own,
      tokens: counted.tokens,
      ...(Object.keys(detail).length > 0 && { detail }),
      receivedAt: ctx.clock(),
      settles: true,
    }
    const accepted = await ingest(ctx, call, event)
    ctx.metrics.reservations.inc({ outcome: 'settled' })
    return json(200, accepted)
  },
})
