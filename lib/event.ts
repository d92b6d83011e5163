import { randomUUID } from 'node:crypto'
import { v5 as uuidv5 } from 'uuid'
import { z } from 'zod'
import type { FieldError } from './problem.ts'

/** Largest number of tokens one event may report. */
export const MAX_TOKENS = 1_000_000_000
const TOKENS_RANGE = `must be a whole number from 1 to ${MAX_TOKENS}`

/** The message of a field that has the wrong type, or none at all. */
export const must = (message: string) => ({
  error: (issue: { input?: unknown }) => (issue.input === undefined ? 'is required' : message),
})

/** Printable, well-formed Unicode: no control character (PostgreSQL can't hold NUL) and no lone surrogate. */
export const text = (max: number, error = 'must be a string') =>
  z
    .string(must(error))
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters long`)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'must not contain control characters or broken surrogates')

/** A whole number in a range, with the message of a number outside of it. */
export const whole = (min: number, max: number, error: string) =>
  z.number(must('must be a number')).int('must be a whole number').min(min, error).max(max, error)

/** A tenant's name or id. */
export const TenantRef = text(200)

/** Under this name all features are counted together that come after the first 1,000 of their tenant (`counted_features`). */
export const REMAINDER = '(other)'
export const Feature = text(200).refine(
  (name) => name !== REMAINDER,
  `must not be '${REMAINDER}': that is the remainder`,
)

/** Tokens of one event, or of one reservation. */
export const Tokens = z.number(must(TOKENS_RANGE)).int(TOKENS_RANGE).min(1, TOKENS_RANGE).max(MAX_TOKENS, TOKENS_RANGE)

/** Where every later step can hold a time: PostgreSQL takes no year 0 and JavaScript writes none beyond 9999. */
const END_OF_TIME = Date.UTC(9999, 11, 31)

/** An RFC 3339 timestamp. */
export const Timestamp = z.iso
  .datetime({ offset: true, error: 'must be an RFC 3339 timestamp like 2026-01-31T12:00:00Z' })
  .refine((time) => Date.parse(time) >= 0 && Date.parse(time) < END_OF_TIME, 'must lie between 1970 and 9999')

/** An instant as the API writes it. */
export const Instant = z.iso.datetime()

/** One event as a client sends it. */
export const EventInput = z.strictObject(
  {
    /** Name or id. */
    tenant: TenantRef,
    feature: Feature,
    tokens: Tokens,
    /** The dedupe key: a UUID is used as it is, anything else is mapped to one. */
    id: text(200)
      .refine((id) => !isOwnId(id), 'must not be an id that FlagMeter made')
      .optional(),
    /** When it happened; default: now. */
    timestamp: Timestamp.optional(),
  },
  { error: (issue) => (issue.code === 'invalid_type' ? 'must be an object' : undefined) },
)
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

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** The text as a lower-case UUID, or null when it is none. */
export const asUuid = (value: string): string | null => (UUID.test(value) ? value.toLowerCase() : null)

/** What FlagMeter makes ids for itself for. */
type OwnId = 'reservation' | 'place'

/** RFC 9562 (section 4.1) leaves the variants e and f to the future: nobody's ids have them, and EventInput refuses them. */
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

/** The event id for what a client sent: its UUID, a UUIDv5 (RFC 9562) of its text in the tenant's namespace, or a new UUIDv7. */
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

/** Mistakes that are named one by one. */
const NAMED_MISTAKES = 10
const SHOWN_CHARACTERS = 100

/** The mistakes of input that does not fit its schema, one per field; unknown fields by their names. After ten, how many more there are. */
export function fieldErrors(error: z.ZodError): FieldError[] {
  const errors: FieldError[] = []
  let count = 0
  for (const { path, ...issue } of error.issues) {
    const isUnknown = issue.code === 'unrecognized_keys'
    const names = isUnknown ? issue.keys.slice(0, NAMED_MISTAKES) : [undefined]
    count += isUnknown ? issue.keys.length : 1
    for (const name of names) {
      if (errors.length === NAMED_MISTAKES) break
      const field = [...path, ...(name === undefined ? [] : [name])].map(String).join('.')
      errors.push({ field: shorten(field), detail: name === undefined ? issue.message : 'is not a known field' })
    }
  }
  return count === errors.length
    ? errors
    : [...errors, { field: '', detail: `and ${count - errors.length} more mistakes` }]
}

const shorten = (field: string): string =>
  field.length <= SHOWN_CHARACTERS ? field : `${field.slice(0, SHOWN_CHARACTERS)}…`
