import { type Count, type Unchecked, optional } from './count.ts'

/**
 * What a usage object may say. Where a shape has no such count, its place is empty. `uncached`, `text`, `cacheWrite5m`
 * and `cacheWrite1h` are parts of a whole, and make it up where it is absent.
 */
export interface Counts<Value> {
  input: Value
  /** The part of `input` that has to do with no cache. */
  uncached: Value
  /** Input that is never part of `input`. */
  moreInput: Value
  cacheRead: Value
  cacheWrite: Value
  cacheWrite5m: Value
  cacheWrite1h: Value
  output: Value
  /** The part of `output` that is not reasoning. */
  text: Value
  reasoning: Value
  /** What the object itself gives as its sum, where that decides whether `output` includes the reasoning. */
  total: Value
}

/** A kind of usage object: how it is recognised, and where it says what. */
export interface Shape extends Counts<Count> {
  name: string
  is: (usage: Unchecked) => boolean
  /** `input` includes what was read from a cache and what was written to one. */
  inputHasCache: boolean
  /** `output` includes the reasoning. */
  outputHasReasoning: boolean
}

export const NONE = optional()

/** What most shapes do not say. */
export const UNSAID = {
  uncached: NONE,
  moreInput: NONE,
  cacheWrite5m: NONE,
  cacheWrite1h: NONE,
  text: NONE,
  total: NONE,
}

export const INCLUSIVE = { inputHasCache: true, outputHasReasoning: true }
