import { z } from 'zod'
import type { Answer } from './http/endpoint.ts'

/** A single item has a few kilobytes: names and URLs are bounded. */
const MOST_BYTES = 1_500_000

const LIMIT = 'must be a whole number between 1 and 1,000'

/** How many items a page of a listing holds. */
export const Limit = z.coerce.number(LIMIT).int(LIMIT).min(1, LIMIT).max(1000, LIMIT).default(100)

/** The `next` of the page before. */
export const Cursor = z
  .string()
  .regex(/^\d{1,18}$/, 'must be the next of a page before')
  .transform(Number)
  .optional()

/** The same for listings by name: opaque, so that what it holds may change. */
export const NameCursor = z
  .string()
  .regex(/^[\w-]{1,1200}$/, 'must be the next of a page before')
  .transform((cursor) => Buffer.from(cursor, 'base64url').toString())
  .refine((name) => !/[\p{Cc}\p{Cs}\uFFFD]/u.test(name), 'must be the next of a page before')
  .optional()

/** What a listing answers: items under `key`, like the example, and where the following page goes on. */
export const pageOf = (key: string, item: z.ZodType, example: object): z.ZodType =>
  z.object({ [key]: z.array(item), next: z.string().optional() }).meta({ examples: [{ [key]: [example], next: '17' }] })

/**
 * A page of a listing: items under `key`, and where the following page goes on. It ends where its items are too large
 * together, so follow `next`, whatever `limit` was. `nextAfter` makes the `next` of the item at a place.
 */
export function page(key: string, items: object[], limit: number, nextAfter: (at: number) => string): Answer {
  const texts: string[] = []
  let bytes = 0
  for (const item of items) {
    const text = JSON.stringify(item)
    bytes += Buffer.byteLength(text)
    if (bytes > MOST_BYTES && texts.length > 0) break
    texts.push(text)
  }
  const isLast = texts.length === items.length && texts.length < limit
  const next = isLast ? '' : `,"next":${JSON.stringify(nextAfter(texts.length - 1))}`
  return { status: 200, text: `{${JSON.stringify(key)}:[${texts.join()}]${next}}` }
}

/** The `next` of rows with a position. */
export const positionOf =
  (rows: { position: number }[]) =>
  (at: number): string =>
    String(rows[at]!.position)

/** The `next` of what is listed by name. */
export const nameOf =
  (items: { name: string }[]) =>
  (at: number): string =>
    Buffer.from(items[at]!.name).toString('base64url')
