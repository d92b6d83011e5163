import { randomUUID } from 'node:crypto'
import { v5 as uuidv5 } from 'uuid'
import { asUuid } from '../schema.ts'

/** What FlagMeter makes ids for itself for. */
type OwnId = 'reservation' | 'place'

/** RFC 9562 (section 4.1) reserves the variants e and f: nobody's ids have them, and EventInput refuses them. */
const VARIANTS: Record<OwnId, string> = { reservation: 'e', place: 'f' }
const VARIANT_AT = 19

/** A UUID of FlagMeter's own, which no client can name before it is made, or send as the id of an event. */
export const ownId = (kind: OwnId, uuid: string = newId()): string =>
  uuid.slice(0, VARIANT_AT) + VARIANTS[kind] + uuid.slice(VARIANT_AT + 1)

/** Whether an id is a UUID of FlagMeter's own, of one kind or of any. */
export function isOwnId(id: string, kind?: OwnId): boolean {
  const variant = asUuid(id)?.[VARIANT_AT]
  return kind === undefined ? variant === 'e' || variant === 'f' : variant === VARIANTS[kind]
}

/** The id of an event that came without one, from the Idempotency-Key of its batch and its place in it. */
export const placeId = (tenantId: string, key: string, place: number): string =>
  ownId('place', uuidv5(`${key}:${place}`, tenantId))

/** The event id for what a client sent: its UUID, a UUIDv5 of its text in the tenant's namespace, or a new UUIDv7. */
export const eventId = (tenantId: string, id: string | undefined): string =>
  id === undefined ? newId() : (asUuid(id) ?? uuidv5(id, tenantId))

/**
 * A UUIDv7 (RFC 9562, section 5.7): milliseconds, then the random bits of Node's own UUIDv4, which come from a pool.
 * The library asks the system for every id, which cost a tenth of the server's time.
 */
function newId(): string {
  const now = Date.now()
  if (now !== prefixOf) {
    const time = now.toString(16).padStart(12, '0')
    prefix = `${time.slice(0, 8)}-${time.slice(8)}-7`
    prefixOf = now
  }
  return prefix + randomUUID().slice(15)
}
let prefix = ''
let prefixOf = 0
