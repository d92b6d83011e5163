import { withCommas } from '../words.ts'
import { MAX_TOKENS, type UsageMistake } from './pools.ts'

/** A JSON object whose content nobody has checked. */
export type Unchecked = Record<string, unknown>

/** Where a shape says one of its counts. */
export interface Count {
  /** Several places: the first that has a number counts. */
  paths: readonly (readonly string[])[]
  isRequired: boolean
}

const inPlaces = (isRequired: boolean, paths: string[]): Count => ({
  paths: paths.map((path) => path.split('.')),
  isRequired,
})
export const optional = (...paths: string[]): Count => inPlaces(false, paths)
export const required = (...paths: string[]): Count => inPlaces(true, paths)

/** The steps of a path from Bedrock's list of cache writes to the entry with that time to live. */
export const HOUR = '1h'
export const FIVE_MINUTES = '5m'

/** There are two times to live, so at most two entries. */
const entryOf = (list: unknown, ttl: string): unknown =>
  Array.isArray(list) ? list.slice(0, 2).find((entry) => isObject(entry) && entry.ttl === ttl) : undefined

export const isThere = (value: unknown): boolean => value !== undefined && value !== null

export const isObject = (value: unknown): value is Unchecked =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const fieldOf = (path: readonly string[]): string => ['usage', ...path].join('.')

/** A count of a usage object, undefined when it is absent or null; or what is wrong with it. */
export function readCount(usage: Unchecked, count: Count): number | undefined | UsageMistake {
  for (const path of count.paths) {
    let value: unknown = usage
    for (let i = 0; i < path.length && isThere(value); i++) {
      const key = path[i]!
      if (key === HOUR || key === FIVE_MINUTES) value = entryOf(value, key)
      else if (isObject(value)) value = value[key]
      else return { field: fieldOf(path.slice(0, i)), detail: 'must be an object' }
    }
    if (isThere(value)) return toCount(value, path)
  }
  return count.isRequired ? { field: fieldOf(count.paths[0]!), detail: 'is required' } : undefined
}

/** The field that a count was read from. */
export const fieldRead = (usage: Unchecked, { paths }: Count): string =>
  fieldOf(paths.find((path) => typeof readCount(usage, { paths: [path], isRequired: false }) === 'number') ?? paths[0]!)

const NO_COUNT = `must be a whole number between 0 and ${withCommas(MAX_TOKENS)}`

/** Checks a number that stands at a path. */
export function toCount(value: unknown, path: readonly string[]): number | UsageMistake {
  // The sum makes a 0 of -0.
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TOKENS) return (value as number) + 0
  return { field: fieldOf(path), detail: NO_COUNT }
}
