import { z } from 'zod'
import { END_OF_TIME, TenantRef, Timestamp, text } from '../schema.ts'
import * as examples from '../site/examples.ts'
import { EventDetail, SplitValue, detailFields } from './event_detail.ts'
import { isOwnId } from './event_id.ts'

/** What the tokens were used for. */
export const Feature = SplitValue

/** One event as a client sends it. */
export const EventInput = z
  .strictObject(
    {
      tenant: TenantRef.describe('Name or id of the tenant. A key that is bound to a tenant may leave it out.'),
      feature: Feature,
      ...detailFields,
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
    description:
      'What a tenant used of a feature: its tokens, and, if known, of which model, by which user, at what cost.',
    examples: [examples.event, examples.fullEvent],
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
  detail: EventDetail.optional(),
})
export type Event = z.infer<typeof Event>
