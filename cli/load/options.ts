import { InvalidArgumentError } from 'commander'
import { MAX_TOKENS } from '../../lib/pools/pools.ts'
import { wholeNumber } from '../_options.ts'

/** The most events that the server takes in one request. */
const MAX_BATCH = 10_000
const MAX_NAMES = 1_000_000

/** A positive number up to `max`. */
export const positive =
  (max: number) =>
  (value: string): number => {
    const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : 0
    if (!(number > 0 && number <= max))
      throw new InvalidArgumentError(`It must be a number above 0, up to ${max.toLocaleString('en-US')}.`)
    return number
  }

export const speed = (value: string): number => (value === 'max' ? Infinity : positiveOrMax(value))
function positiveOrMax(value: string): number {
  try {
    return positive(1_000_000)(value)
  } catch {
    throw new InvalidArgumentError("It must be 'max' or a factor above 0, such as 1 or 60.")
  }
}

export function batch(value: string): number {
  const events = wholeNumber(value)
  if (events < 1 || events > MAX_BATCH) throw new InvalidArgumentError(`It must be from 1 to ${MAX_BATCH}.`)
  return events
}

export function seedNumber(value: string): number {
  const number = wholeNumber(value)
  if (!Number.isSafeInteger(number)) throw new InvalidArgumentError('It must be at most 2^53 - 1.')
  return number
}

/** A tenant or a feature. */
export function name(value: string): string {
  if (value.length === 0 || value.length > 200 || /[\p{Cc}\p{Cs}]/u.test(value)) {
    throw new InvalidArgumentError('It must be 1 to 200 characters long, without control characters.')
  }
  return value
}

export function names(value: string): string[] {
  const list = value.split(',').map((part) => part.trim())
  for (const part of list) name(part)
  return list
}

/** Names, or how many: `3` is tenant-1, tenant-2, tenant-3. */
export function tenants(value: string): string[] {
  if (!/^\d+$/.test(value)) return names(value)
  const count = Number(value)
  if (count < 1 || count > MAX_NAMES)
    throw new InvalidArgumentError(`It must be names, or a number from 1 to ${MAX_NAMES}.`)
  return Array.from({ length: count }, (_, i) => `tenant-${i + 1}`)
}

/** `100-2000`, or one number. */
export function tokens(value: string): { min: number; max: number } {
  const [, low = '', high = low] = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(value) ?? []
  const range = { min: Number(low), max: Number(high) }
  if (range.min < 1 || range.max < range.min || range.max > MAX_TOKENS) {
    throw new InvalidArgumentError(`It must be a range like 100-2000, from 1 to ${MAX_TOKENS}.`)
  }
  return range
}

/** A number of events like `5`, or a share like `0.1%`. */
export function maxErrors(value: string): { count: number; percent: boolean } {
  const [, number, percent] = /^(\d+(?:\.\d+)?)(%)?$/.exec(value) ?? []
  const count = Number(number)
  const fits = number !== undefined && (percent ? count <= 100 : Number.isInteger(count))
  if (!fits) throw new InvalidArgumentError('It must be a number of events such as 5, or a share such as 0.1%.')
  return { count, percent: percent !== undefined }
}
