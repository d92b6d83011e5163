import { InvalidArgumentError, Option } from 'commander'
import { Timestamp, asUuid } from '../lib/schema.ts'
import { CommandError, Exit } from './_command.ts'

/** Parses a whole number; `1,000` and `1_000` are fine. */
export function wholeNumber(value: string): number {
  const digits = value.replaceAll(/[_,]/g, '')
  if (!/^\d+$/.test(digits)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(digits)
}

const NUMBER = /^(\d+|\d{1,3}(?:,\d{3})+|\d+(?:_\d+)+)(?:\.(\d+))?([kmb])?$/i
const ZEROS: Record<string, number> = { k: 3, m: 6, b: 9 }

/**
 * Parses a number of tokens: `1500`, `1,000,000`, `1_000_000`, `500k`, `1.5M` or `2B`. Commas group thousands, and a
 * decimal point needs a unit, so the two can't be confused.
 */
export function tokenCount(value: string): number {
  const [, whole, fraction = '', unit = ''] = NUMBER.exec(value) ?? []
  const zeros = (ZEROS[unit.toLowerCase()] ?? 0) - fraction.length
  if (whole === undefined || zeros < 0)
    throw new InvalidArgumentError('It must be a whole number of tokens like 1500, 1,000,000, 500k, 1.5M or 2B.')
  return Number(whole.replaceAll(/[_,]/g, '') + fraction + '0'.repeat(zeros))
}

/** Parses a list of percentages, like `50,80,100`. */
export const percents = (list: string): number[] => list.split(',').map(wholeNumber)

/** An option that is `on` or `off`. */
export const onOff = (flag: string, description: string): Option =>
  new Option(`${flag} <on|off>`, description).argParser((value) => {
    if (value !== 'on' && value !== 'off') throw new InvalidArgumentError('It must be on or off.')
    return value === 'on'
  })

const DURATION_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const DAY_MS = 86_400_000

/** Parses `30`, `30s`, `1.5m`, `500ms` or `2h` into milliseconds. */
export function duration(value: string): number {
  const [, amount = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(value) ?? []
  const ms = Number(amount) * DURATION_MS[unit]!
  if (!(ms > 0 && ms <= 30 * DAY_MS)) throw new InvalidArgumentError('It must be a time like 30, 30s, 2m or 1h.')
  return ms
}

const SPAN_MS: Record<string, number> = { h: 3_600_000, d: DAY_MS, w: 7 * DAY_MS, y: 365 * DAY_MS }

/**
 * Parses a moment: RFC 3339; a day (its start in UTC); or hours, days, weeks or years (of 365 days) from now or ago.
 */
const moment =
  (direction: 1 | -1, examples: string) =>
  (value: string): string => {
    const [, amount, unit] = /^(\d{1,5})([hdwy])$/.exec(value) ?? []
    const time = Date.now() + direction * Number(amount) * (SPAN_MS[unit!] ?? NaN)
    const text = amount === undefined ? value.replace(/^\d{4}-\d\d-\d\d$/, '$&T00:00:00Z') : safeIso(time)
    if (Timestamp.safeParse(text).success) return text
    throw new InvalidArgumentError(
      `It must be a time like 2027-01-31T12:00:00Z, a day like 2027-01-31 (in UTC), or ${examples}.`,
    )
  }

/** Empty if JavaScript can't represent the time. */
const safeIso = (time: number): string => (Math.abs(time) <= 8.64e15 ? new Date(time).toISOString() : '')

/** Parses a moment in the future: `90d` is in 90 days. */
export const momentAhead = moment(1, 'a time from now like 12h, 90d, 52w or 1y')

/** Parses a moment in the past: `7d` was 7 days ago. */
export const momentAgo = moment(-1, 'a time ago like 12h, 7d or 4w')

/** Parses an id shown by `listing`. Names and keys are not ids; if it is a key, the error does not repeat it. */
export const idOf =
  (what: string, listing: string) =>
  (value: string): string => {
    if (asUuid(value) !== null) return value
    const said = value.startsWith('fm_') ? 'that is the key itself, not its id' : `'${value}' is not the id of ${what}`
    throw new CommandError(`${said}: \`${listing}\` shows the ids`, Exit.usage)
  }
