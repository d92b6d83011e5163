import { z } from 'zod'
import type { FieldError } from './problem.ts'
import { shorten, withCommas } from './words.ts'

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

/** A whole number in a range; `below` says what to do instead when it is smaller. */
export function whole(min: number, max: number, below?: string) {
  const error = `must be a whole number between ${withCommas(min)} and ${withCommas(max)}`
  return z
    .number(must(error))
    .int(error)
    .min(min, below === undefined ? error : `${error}; ${below}`)
    .max(max, error)
}

/** A tenant's name or id. */
export const TenantRef = text(200)

/** Where every later step can hold a time: PostgreSQL takes no year 0 and JavaScript writes none beyond 9999. */
export const END_OF_TIME = Date.UTC(9999, 11, 31)

/** An RFC 3339 timestamp. */
export const Timestamp = z.iso
  .datetime({ offset: true, error: 'must be an RFC 3339 timestamp like 2026-01-31T12:00:00Z' })
  .refine((time) => Date.parse(time) >= 0 && Date.parse(time) < END_OF_TIME, 'must be between the years 1970 and 9999')

/** An instant as the API writes it. */
export const Instant = z.iso.datetime()

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** The text as a lower-case UUID, or null when it is none. */
export const asUuid = (value: string): string | null => (UUID.test(value) ? value.toLowerCase() : null)

/**
 * Why there is no such thing of this id: `/quotas` of the API and `flagmeter quota list` show the ids that there are.
 * What is no id at all is not repeated: it may be a key.
 */
export const noSuch = (kind: string, ref: string, path: string): string =>
  asUuid(ref) === null
    ? `this is not the id of a ${kind}; GET /api${path} and flagmeter ${kind} list show the ids`
    : `${kind} ${ref} does not exist`

/** Mistakes that are named one by one. */
const NAMED_MISTAKES = 10

/**
 * The mistakes of input that does not fit its schema, one per field; unknown fields by their names. After ten, how many
 * more there are.
 */
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
      const mistake = { field: shorten(field), detail: name === undefined ? issue.message : 'is not a known field' }
      if (isTold(errors, mistake)) count--
      else errors.push(mistake)
    }
  }
  return count === errors.length
    ? errors
    : [...errors, { field: '', detail: `and ${count - errors.length} more mistakes` }]
}

/** A number that is too large breaks two rules, and one message says both. */
const isTold = (errors: FieldError[], { field, detail }: FieldError): boolean =>
  errors.some((error) => error.field === field && error.detail === detail)
