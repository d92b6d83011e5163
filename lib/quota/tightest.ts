import type { QuotaRow } from './quota.ts'

/** A call that is asked about: what it is of, and what it takes. */
export interface AskedCall {
  feature: string
  model?: string | undefined
  tokens: number
  /** The most it may cost, in nano-dollars; undefined: it is unknown. */
  nanos?: number | undefined
}

/** What is left of a quota, in its metric, and what the call takes of it; undefined: it is unknown. */
export interface Tightest {
  row: QuotaRow
  room: number
  takes: number | undefined
}

/**
 * The quota that decides about a call: of the hard ones, or if there is none, of all, the one that fits the fewest such
 * calls. The same rule as in `reserve_tokens`. A tenant has at least its monthly quota.
 */
export function tightest(rows: QuotaRow[], call: AskedCall): Tightest {
  let found: Tightest | undefined
  for (const row of rows) {
    if ((row.feature ?? call.feature) !== call.feature || (row.model ?? call.model) !== call.model) continue
    const room = row.token_limit - row.total_tokens - row.reserved_tokens
    const takes = row.metric === 'tokens' ? call.tokens : row.metric === 'requests' ? 1 : call.nanos
    if (!found || (row.hard === found.row.hard ? fits({ row, room, takes }) < fits(found) : row.hard))
      found = { row, room, takes }
  }
  if (!found) throw new Error('a tenant without a quota')
  return found
}

/** How many such calls. None, where a hard quota can't tell what one takes. */
const fits = ({ row, room, takes }: Tightest): number => {
  if (takes === undefined && row.hard) return -Infinity
  return room / Math.max(takes ?? 1, 1)
}
