// A backup is one gzip file of lines: a head, the tables (a line with the name, the rows as COPY writes them, and
// `\.`), and an end. All but the rows is JSON.

/** The first line. */
export interface Head {
  /** The version of this format. */
  flagmeterBackup: 1
  /** The release that made it. */
  release: string
  createdAt: string
  /** The applied migrations: they recreate the tables as they were. */
  migrations: string[]
  sequences: { table: string; column: string; last: number | null }[]
}

/** The line before the rows of a table. */
export interface TableHead {
  table: string
  columns: string[]
}

/** The last line: without it, a backup is truncated. */
export interface End {
  /** How many rows each table has. */
  rows: Record<string, number>
}

/** The line after the rows of a table. In the rows, another character follows every backslash. */
export const END_OF_ROWS = '\\.\n'

/** With these, COPY writes and reads times and bytes the same way everywhere. */
export const COPY_SETTINGS = `set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'`

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A table with the columns to copy, as SQL. */
export const copied = ({ table, columns }: TableHead): string => `${quote(table)} (${columns.map(quote).join(', ')})`

/** The name of a table, as SQL. */
export const tableName = ({ table }: { table: string }): string => quote(table)
