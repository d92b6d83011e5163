import { z } from 'zod'

const LIMIT = 'must be a whole number from 1 to 1000'

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

/** The `next` of a full page by name. */
export function nameCursor(items: { name: string }[], limit: number): { next?: string } {
  const last = items.length === limit ? items.at(-1) : undefined
  return last ? { next: Buffer.from(last.name).toString('base64url') } : {}
}

/** What a listing answers: items under `key`, like the example, and where the following page goes on. */
export const pageOf = (key: string, item: z.ZodType, example: object): z.ZodType =>
  z.object({ [key]: z.array(item), next: z.string().optional() }).meta({ examples: [{ [key]: [example], next: '17' }] })

/** The `next` of a full page: where the following one goes on. Of a page with room left there is none. */
export function nextOf(rows: { position: number }[], limit: number): { next?: string } {
  const last = rows.length === limit ? rows.at(-1) : undefined
  return last ? { next: String(last.position) } : {}
}
