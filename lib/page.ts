import { z } from 'zod'

/** How many items a page of a listing holds. */
export const Limit = z.coerce.number('must be a number').int('must be a whole number').min(1).max(1000).default(100)

/** The `next` of the page before. */
export const Cursor = z
  .string()
  .regex(/^\d{1,18}$/, 'must be the next of a page before')
  .transform(Number)
  .optional()

/** The `next` of a full page: where the following one goes on. Of a page with room left there is none. */
export function nextOf(rows: { position: number }[], limit: number): { next?: string } {
  const last = rows.length === limit ? rows.at(-1) : undefined
  return last ? { next: String(last.position) } : {}
}
