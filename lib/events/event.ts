import { z } from 'zod'
import { MAX_TOKENS } from '../pools/pools.ts'
import { END_OF_TIME, TenantRef, Timestamp, text, whole } from '../schema.ts'
import * as examples from '../site/examples.ts'
import { isOwnId } from './event_id.ts'

/** The name under which a tenant's features after the first 1,000 are counted together (`counted_features`). */
export const REMAINDER = '(other)'
export const Feature = text(200).refine(
  (name) => name !== REMAINDER,
  `must not be '${REMAINDER}': that is the remainder`,
)

/** Tokens of one event, or of one reservation. */
export const Tokens = whole(1, MAX_TOKENS)

/** One event as a client sends it. */
export const EventInput = z
  .strictObject(
    {
      tenant: TenantRef.describe('Name or id of the tenant. A key that is bound to a tenant may leave it out.'),
      feature: Feature,
      tokens: Tokens,
      id: text(200)
        .refine((id) => !isOwnId(id), 'must not be an id that FlagMeter made')
        .describe('Sent again with the same id, an event counts once. A UUID is kept; any other text becomes one.')
        .optional(),
      timestamp: Timestamp.describe('When it happened; default: now.').optional(),
    },
    { error: (issue) => (issue.code === 'invalid_type' ? 'must be an object' : undefined) },
  )
  .meta({
    id: 'Event',
    description: 'What was used: so many tokens of a feature, by a tenant.',
    examples: [examples.event],
  })
export type EventInput = z.infer<typeof EventInput>

const Moment = z.int().min(0).max(END_OF_TIME)

/** An accepted event, as it travels through the stream and into PostgreSQL. Times are milliseconds since 1970. */
export const Event = z.object({
  tenantId: z.guid(),
  id: z.guid(),
  feature: z.string(),
  tokens: z.int(),
  createdAt: Moment,
  receivedAt: Moment,
  /** It is what the reservation of the same id came to: recording it gives back the hold. */
  settles: z.boolean().optional(),
})
export type Event = z.infer<typeof Event>
