import { query } from './database.ts'
import type { Database } from './connection.ts'
import { loadSql } from './sql.ts'

/** The field of each column, as it was found once. */
const fields: Record<string, string> = Object.create(null)
const fieldOf = (column: string): string =>
  (fields[column] ??= column.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()))

type FieldOf<Column> = Column extends `${infer Head}_${infer Rest}` ? `${Head}${Capitalize<FieldOf<Rest>>}` : Column
type Written<Value> = Value extends Date ? string : Value

/** What `toDocument` makes of a row. */
export type DocumentOf<Row> = {
  [Column in keyof Row as null extends Row[Column] ? never : FieldOf<Column>]: Written<Row[Column]>
} & {
  [Column in keyof Row as null extends Row[Column] ? FieldOf<Column> : never]?: Written<NonNullable<Row[Column]>>
}

/** A row as the API writes it: `created_at` is `createdAt`, times are in ISO 8601, and what is null is left out. */
export function toDocument<Row extends object>(row: Row): DocumentOf<Row> {
  const columns = row as Record<string, unknown>
  const document: Record<string, unknown> = {}
  // Entries would cost a page of a thousand tenants another millisecond.
  for (const column in columns) {
    const value = columns[column]
    if (value !== null) document[fieldOf(column)] = value instanceof Date ? value.toISOString() : value
  }
  return document as DocumentOf<Row>
}

/** A piece of a listing, and the position of each of its items. */
export interface Listed<Item> {
  items: Item[]
  positions: number[]
}

/** Lists what a query in `sql/queries` returns. Its rows have a `position`, which is no part of the document. */
export async function list<Item>(
  database: Database,
  name: string,
  args: unknown[],
  toItem: (row: never) => unknown = toDocument,
): Promise<Listed<Item>> {
  const rows = await query<{ position: number }>(database, loadSql(`queries/${name}`), args)
  return {
    items: rows.map(({ position: _position, ...row }) => toItem(row as never) as Item),
    positions: rows.map(({ position }) => position),
  }
}
