// A backup is one gzip file of lines: a head, the tables (each a line that names it, its rows as COPY writes them, and
// `\.`), and an end. All but the rows is JSON.

/** The first line. */
export interface Head {
  /** The version of this format. */
  flagmeterBackup: 1
  /** The release that made it. */
  release: string
  createdAt: string
  /** Those that had been applied: they make the tables again, as they were. */
  migrations: string[]
  sequences: { table: string; column: string; last: number | null }[]
}

/** The line before the rows of a table. */
export interface TableHead {
  table: string
  columns: string[]
}

/** The last line: without it, a backup is cut short. */
export interface End {
  /** How many rows each table has. */
  rows: Record<string, number>
}

/** The line after the rows of a table. In the rows, every backslash stands before another character. */
export const END_OF_ROWS = '\\.\n'

/** COPY writes and reads times and bytes the same way everywhere with these. */
export const COPY_SETTINGS = `set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'`

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A table, and what of it is copied, as SQL. */
export const copied = ({ table, columns }: TableHead): string => `${quote(table)} (${columns.map(quote).join(', ')})`

/** A table's name, as SQL. */
export const tableName = ({ table }: { table: string }): string => quote(table)
