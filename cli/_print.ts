import Table from 'cli-table3'
import type { Terminal } from './_command.ts'

type Cell = string | number

/** How to show a listing to a person. */
export interface View<Item> {
  /** Printed when there is nothing to list. */
  none: string
  head: string[]
  row: (item: Item) => Cell[]
}

/** Prints a listing: a table, or with `--json` one array. */
export function printItems<Item>(
  terminal: Terminal,
  { json }: { json?: boolean | undefined },
  items: Item[],
  view: View<Item>,
): void {
  if (json) printJson(terminal, items)
  else if (items.length === 0) terminal.out.write(`${view.none}\n`)
  else printTable(terminal, view.head, items.map(view.row))
}

/** Prints one item: a table with one row, or with `--json` its document. */
export function printItem<Item>(
  terminal: Terminal,
  { json }: { json?: boolean | undefined },
  item: Item,
  view: View<Item>,
): void {
  if (json) printJson(terminal, item)
  else printTable(terminal, view.head, [view.row(item)])
}

/** Prints one JSON document on standard output. */
export function printJson({ out }: Terminal, value: unknown): void {
  out.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** No lines, and two spaces between columns: easy to read, cut and grep. */
const PLAIN = Object.fromEntries(
  ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right', 'left', 'left-mid']
    .concat(['mid', 'mid-mid', 'right', 'right-mid'])
    .map((part) => [part, ''])
    .concat([['middle', '  ']]),
) as NonNullable<Table.TableConstructorOptions['chars']>

/** Prints rows under a header; numbers are right-aligned and have thousands separators. */
export function printTable({ out }: Terminal, head: string[], rows: Cell[][]): void {
  const table = new Table({
    head,
    chars: PLAIN,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, i) => (rows.every((row) => isAmount(row[i])) ? 'right' : 'left')),
  })
  for (const row of rows)
    table.push(row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)))
  out.write(`${table.toString()}\n`)
}

/** A number, or an amount in text. */
const isAmount = (cell: Cell | undefined): boolean =>
  typeof cell === 'number' || /^(\$?[\d,]+(\.\d+)?|unknown)$/.test(cell ?? '')

/** `2026-01-31 12:00`, from a time in the format of the API. */
export const minuteOf = (time: string): string => time.slice(0, 16).replace('T', ' ')

/** `2026-01-31 12:00:00` */
export const secondOf = (time: string): string => time.slice(0, 19).replace('T', ' ')

/** Dollars of what was used; `unknown` if no event of it has a cost that is known. */
export const costOf = (used: { cost: string; eventCount: number; unpricedEvents: number }): string =>
  used.eventCount > 0 && used.unpricedEvents === used.eventCount ? 'unknown' : used.cost
