import { z } from 'zod'
import { handler, json } from '../lib/http/endpoint.ts'
import { findReservation } from '../lib/quota/reservation.ts'

/** Gives a reservation back unused. Again, or of one that was settled or has lapsed, it changes nothing. */
export default handler({
  method: 'POST',
  path: '/api/reservations/:reservation/release',
  operationId: 'releaseReservation',
  tag: 'Reservations',
  auth: 'ingest',
  tenancy: 'own',
  isForUsers: true,
  summary: 'Gives a reservation back unused',
  answers: {
    200: z.object({ success: z.literal(true) }).meta({
      id: 'Released',
      description: 'Nothing of the reservation is held any more.',
      examples: [{ success: true }],
    }),
  },
  problems: ['reservation_not_found'],
  params: z.object({ reservation: z.string() }),
  async handle(ctx, { params, caller }) {
    await ctx.reservations.release(await findReservation(ctx, caller, params.reservation))
    return json(200, { success: true })
  },
})
