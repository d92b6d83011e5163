import type { UsageSummary } from './api_types.ts'

const whole = new Intl.NumberFormat()
const compactNumber = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })
const decimal = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 })
const percentNumber = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 1 })
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** Numbers in the reader's language. */
export const exact = (value: number): string => whole.format(value)
export const compact = (value: number): string => (Math.abs(value) < 10_000 ? whole : compactNumber).format(value)
export const rate = (value: number): string => (value < 100 ? decimal : compactNumber).format(value)
/** Hundredths, rounded down: 99.99 must not show as 100 %. */
export const percent = (value: number): string => percentNumber.format(Math.floor(value * 10) / 1000)
export const dayOf = (at: number): string => day.format(at)
export const clockOf = (at: number): string => clock.format(at)
export const momentOf = (at: number | string): string => moment.format(new Date(at))

/** A moment in the tenant's time zone, which is named, since its periods begin there. */
export const momentIn = (at: string, timeZone: string): string =>
  new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short', timeZone }).format(new Date(at))

/** Labels for a time axis with steps of this many seconds: each day is written where it begins. */
export function axisTimes(timeZone: string): (times: number[], step: number) => string[] {
  const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', timeZone })
  const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short', timeZone })
  return (times, step) => {
    let last = ''
    return times.map((seconds) => {
      const today = date.format(seconds * 1000)
      if (step >= 86_400) return today
      const label = time.format(seconds * 1000) + (today === last ? '' : `\n${today}`)
      last = today
      return label
    })
  }
}

/** ok: below every threshold; warning: at or above one; over: nothing is left. */
export type Level = 'ok' | 'warning' | 'over'

/** The level of a percentage, given the thresholds. */
export function levelOf(quotaPercent: number, thresholds: number[]): Level {
  if (quotaPercent >= 100) return 'over'
  return quotaPercent >= Math.min(...thresholds) ? 'warning' : 'ok'
}

/** The highest threshold reached. */
export const reachedOf = (quotaPercent: number, thresholds: number[]): number | undefined =>
  thresholds.findLast((threshold) => quotaPercent >= threshold)

/** Tokens left to use or reserve; never below 0. */
export const leftOf = (row: Pick<UsageSummary, 'monthlyQuota' | 'totalTokens' | 'reservedTokens'>): number =>
  Math.max(0, row.monthlyQuota - row.totalTokens - row.reservedTokens)

/** When nothing will be left, in a straight line at the pace of the last 24 hours. Infinity: not within this period. */
export function runsOutAt(row: UsageSummary, now: number): number {
  const left = row.monthlyQuota - row.totalTokens
  if (left <= 0) return now
  const at = now + (left / row.tokensLastDay) * 86_400_000
  return at <= Date.parse(row.periodEnd) ? at : Infinity
}
