import { z } from 'zod'
import type { Access, Tenancy } from './auth/scope.ts'
import { type Answers, type JsonText, type TextAnswer, writeJson } from './http/answer_types.ts'
import { type HttpHandler, handler } from './http/endpoint.ts'
import type { Tag } from './http/tags.ts'
import { TenantRef } from './schema.ts'
import type { Database } from './store/connection.ts'
import type { Listed } from './store/document.ts'
import { getTenant } from './tenants/tenant_cache.ts'

/** A single item has a few kilobytes: names and URLs are bounded. */
const MOST_BYTES = 1_500_000

const LIMIT = 'must be a whole number between 1 and 1,000'

/** How many items a page of a listing holds. */
export const Limit = z.coerce
  .number(LIMIT)
  .int(LIMIT)
  .min(1, LIMIT)
  .max(1000, LIMIT)
  .default(100)
  .describe('How many items at most.')

const NEXT = 'The `next` of the page before.'

/** The `next` of the page before. */
export const Cursor = z
  .string()
  .regex(/^\d{1,18}$/, 'must be the next of a page before')
  .transform(Number)
  .optional()
  .describe(NEXT)

/** The same for listings by name: opaque, so that what it holds may change. */
export const NameCursor = z
  .string()
  .regex(/^[\w-]{1,1200}$/, 'must be the next of a page before')
  .transform((cursor) => Buffer.from(cursor, 'base64url').toString())
  .refine((name) => !/[\p{Cc}\p{Cs}\uFFFD]/u.test(name), 'must be the next of a page before')
  .optional()
  .describe(NEXT)

/** What a listing answers: items under `key`, like the example, and where the following page begins. */
export const pageOf = <Key extends string, Item extends z.ZodType>(id: string, key: Key, item: Item, example: object) =>
  z
    .object({
      [key]: z.array(item),
      next: z.string().describe('Pass it as `after` to get the next page. The last page has none.').optional(),
    } as Record<Key, z.ZodArray<Item>> & { next: z.ZodOptional<z.ZodString> })
    .meta({ id, examples: [{ [key]: [example], next: '17' }] })

type Page<Key extends string, Item> = Record<Key, Item[]> & { next?: string }

/**
 * A page of a listing: items under `key`, and where the next page starts. It ends where its items are too large
 * together, so follow `next`, whatever `limit` was. `nextAfter` makes the `next` of the item at a place.
 */
export function page<const Key extends string, Item>(
  key: Key,
  items: Item[],
  limit: number,
  nextAfter: (at: number) => string,
): TextAnswer<200, Page<Key, Item>> {
  const texts: string[] = []
  let bytes = 0
  for (const item of items) {
    const text = writeJson(item)
    bytes += Buffer.byteLength(text)
    if (bytes > MOST_BYTES && texts.length > 0) break
    texts.push(text)
  }
  const isLast = texts.length === items.length && texts.length < limit
  const next = isLast ? '' : `,"next":${JSON.stringify(nextAfter(texts.length - 1))}`
  return { status: 200, text: `{${JSON.stringify(key)}:[${texts.join()}]${next}}` as JsonText<Page<Key, Item>> }
}

/** The `next` of what is listed by name. */
export const nameOf =
  (items: { name: string }[]) =>
  (at: number): string =>
    Buffer.from(items[at]!.name).toString('base64url')

/** A listing of what tenants have. */
interface Listing<Item extends z.ZodType, Filters extends z.ZodRawShape> {
  path: string
  auth: Exclude<Access, 'none'>
  tenancy: Tenancy
  operationId: string
  tag: Tag
  summary: string
  /** The name of the page in the API's description, of its items in the page, and how they look. */
  page: { id: string; key: string; item: Item; example: object; description: string }
  /** What of them can be asked for, beside the tenant. */
  filters?: Filters
  /** Those of a tenant, or of all, beyond a position. */
  list: (
    database: Database,
    tenantId: string | null,
    after: number | null,
    limit: number,
    filters: z.output<z.ZodObject<Filters>>,
  ) => Promise<Listed<z.output<Item>>>
}

/** Declares the listing of what a tenant has, or all tenants have, a page at a time. */
export function listing<Item extends z.ZodType, Filters extends z.ZodRawShape = z.ZodRawShape>({
  page: { id, key, item, example, description },
  filters,
  list,
  ...endpoint
}: Listing<Item, Filters>): HttpHandler {
  const answers: Answers = { 200: pageOf(id, key, item, example).describe(description) }
  return handler({
    ...endpoint,
    method: 'GET',
    isReport: true,
    answers,
    problems: ['tenant_not_found'],
    query: z.strictObject({ tenant: TenantRef.optional(), ...filters, after: Cursor, limit: Limit }),
    async handle(ctx, { query }) {
      const { tenant, after, limit, ...rest } = query as { tenant?: string; after?: number; limit: number }
      const tenantId = tenant === undefined ? null : (await getTenant(ctx.database, tenant)).id
      const chosen = rest as z.output<z.ZodObject<Filters>>
      const { items, positions } = await list(ctx.database, tenantId, after ?? null, limit, chosen)
      return page(key, items, limit, (at) => String(positions[at]))
    },
  })
}
