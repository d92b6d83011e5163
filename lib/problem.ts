import { z } from 'zod'

/** Every problem an answer may carry: its HTTP status and title. `docs/problems.md` explains each code. */
export const PROBLEMS = {
  invalid_json: [400, 'The body is not valid JSON'],
  invalid_request: [400, 'The request is not valid'],
  malformed_http: [400, 'The request is not valid HTTP'],
  unauthorized: [401, 'The key is missing or not valid'],
  forbidden: [403, 'This key may not do this'],
  tenant_not_found: [404, 'There is no such tenant'],
  webhook_not_found: [404, 'There is no such webhook'],
  delivery_not_found: [404, 'There is no such delivery'],
  quota_not_found: [404, 'There is no such quota'],
  user_not_found: [404, 'There is no such user'],
  reservation_not_found: [404, 'There is no such reservation'],
  key_not_found: [404, 'There is no such key'],
  price_not_found: [404, 'There is no such price'],
  not_found: [404, 'There is nothing at this path'],
  method_not_allowed: [405, 'This path does not take this method'],
  request_timeout: [408, 'The request took too long to arrive'],
  tenant_exists: [409, 'The name is taken by another tenant'],
  quota_exists: [409, 'The tenant has this quota already'],
  idempotency_key_reused: [409, 'The id or Idempotency-Key was used for something else'],
  quota_exceeded: [409, 'The quota does not have that many tokens left'],
  too_many_webhooks: [409, 'The tenant cannot have more webhooks'],
  body_too_large: [413, 'The body is too large'],
  batch_too_large: [413, 'The batch has too many events'],
  unsupported_media_type: [415, 'The content type is not supported'],
  timestamp_out_of_range: [422, 'The timestamp is too old or too far ahead'],
  event_rejected: [422, 'The event cannot be recorded'],
  series_too_long: [422, 'The series would have too many points'],
  rate_limited: [429, 'Too many requests or events'],
  headers_too_large: [431, 'The request headers are too large'],
  internal: [500, 'Something went wrong'],
  unavailable: [503, 'The service cannot do this right now'],
} as const satisfies Record<string, readonly [number, string]>

export type ProblemCode = keyof typeof PROBLEMS

/** One mistake in the input: where it is and what is wrong. */
export const FieldError = z
  .object({
    field: z.string().describe('The field, like `tokens`; for a nested one, like `rows.3.tokens`.'),
    detail: z.string().describe('What is wrong with it.'),
  })
  .meta({ id: 'FieldError', description: 'One mistake in the input: where it is and what is wrong.' })
export type FieldError = z.infer<typeof FieldError>

/** What a problem says beyond its code. */
export interface ProblemExtra {
  detail?: string
  errors?: FieldError[]
  /** Extension members (RFC 9457, section 3.2). */
  [member: string]: unknown
}

/** A problem document (RFC 9457), as it stands in the body. */
export const ProblemDocument = z
  .looseObject({
    type: z.string().describe('`urn:flagmeter:problem:` and the code.'),
    title: z.string().describe('The same for every problem of this code.'),
    status: z.int().describe('The HTTP status.'),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode]).meta({ id: 'ProblemCode' }),
    detail: z.string().describe('What went wrong this time.').optional(),
    errors: z.array(FieldError).optional(),
  })
  .meta({ id: 'Problem', description: 'Why a request failed (RFC 9457). Some codes add fields.' })
export type ProblemDocument = z.infer<typeof ProblemDocument> & ProblemExtra

/** Builds the document of a problem. `type` is a URN: stable, and it promises no page at some host. */
export function problemDocument(code: ProblemCode, extra: ProblemExtra = {}): ProblemDocument {
  const [status, title] = PROBLEMS[code]
  return { type: `urn:flagmeter:problem:${code}`, title, status, code, ...extra }
}

/** Thrown anywhere below the adapter; becomes the answer. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly extra: ProblemExtra
  readonly headers: Record<string, string>
  get status(): number {
    return PROBLEMS[this.code][0]
  }
  constructor(code: ProblemCode, extra: ProblemExtra = {}, headers: Record<string, string> = {}) {
    super(extra.detail ?? PROBLEMS[code][1])
    this.code = code
    this.extra = extra
    this.headers = headers
  }
}

/** The problem of input that does not fit its schema. `detail` repeats the first mistake, so one line says enough. */
export function invalidInput(errors: FieldError[]): ProblemExtra {
  const [first] = errors
  return { detail: first ? [first.field, first.detail].filter(Boolean).join(' ') : 'invalid', errors }
}
