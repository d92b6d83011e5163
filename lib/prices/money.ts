import { withCommas } from '../words.ts'

/** Nano-dollars in a dollar. Money is a whole number of them everywhere. */
export const NANOS = 1_000_000_000n

/** No price and no limit is higher. */
const MAX_DOLLARS = 1_000_000n

/** The most that one event may cost: nine hundred thousand of them still add up in 64 bits. */
const MAX_COST = 10_000n

export const COST =
  'must be US dollars from 0 to 10,000, as a number or as decimal text like "0.0123", with at most nine decimals'

/** Nano-dollars of what an event has cost: as parseDollars, up to 10,000. */
export function parseCost(amount: string | number): bigint | undefined {
  const nanos = parseDollars(amount)
  return nanos !== undefined && nanos <= MAX_COST * NANOS ? nanos : undefined
}

export const DOLLARS =
  'must be US dollars from 0 to 1,000,000, as a number or as decimal text like "0.0123", with at most nine decimals'

/**
 * Nano-dollars of an amount in US dollars: decimal text, exactly, or a number, by the shortest decimal that stands for
 * it, rounded half up. Undefined: it is no amount from 0 to 1,000,000, or text with more than nine decimals.
 */
export function parseDollars(amount: string | number): bigint | undefined {
  if (typeof amount === 'number') {
    if (!(amount >= 0) || amount > Number(MAX_DOLLARS)) return undefined
    return parseDecimal(amount.toString().includes('e') ? amount.toFixed(20) : amount.toString(), true)
  }
  return parseDecimal(amount, false)
}

function parseDecimal(text: string, isRounded: boolean): bigint | undefined {
  const parts = /^(\d{1,7})(?:\.(\d{1,30}))?$/.exec(text)
  if (!parts) return undefined
  const [, whole = '', decimals = ''] = parts
  if (decimals.length > 9 && !isRounded) return undefined
  const roundsUp = decimals.length > 9 && decimals.charCodeAt(9) >= '5'.charCodeAt(0)
  const nanos = BigInt(whole) * NANOS + BigInt(decimals.slice(0, 9).padEnd(9, '0')) + (roundsUp ? 1n : 0n)
  return nanos <= MAX_DOLLARS * NANOS ? nanos : undefined
}

/** US dollars as a person writes them, with all decimals that there are: $1,500.00, $0.0123. */
export function dollarsInWords(nanos: bigint): string {
  const [whole = '', decimals = ''] = formatDollars(nanos).split('.')
  return `$${withCommas(Number(whole))}.${decimals.padEnd(2, '0')}`
}

/** US dollars as decimal text, exact and without trailing zeros: 12345678901n is '12.345678901'. */
export function formatDollars(nanos: bigint): string {
  const decimals = (nanos % NANOS).toString().padStart(9, '0').replace(/0+$/, '')
  return decimals === '' ? String(nanos / NANOS) : `${nanos / NANOS}.${decimals}`
}
