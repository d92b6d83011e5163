/** Largest number of tokens one event may report. */
export const MAX_TOKENS = 1_000_000_000

/** The tokens of one call by kind. No token is in two of the five; each is a whole number from 0 to MAX_TOKENS. */
export interface Pools {
  /** Read anew: neither read from a cache nor written to one. */
  input: number
  cacheRead: number
  cacheWrite: number
  /** Without the reasoning. */
  output: number
  reasoning: number
  /** How many of `cacheWrite` were written for an hour, which costs more than five minutes. Absent: none. */
  cacheWrite1h?: number
}

/** Why a usage object has no pools: `detail` continues a sentence that begins with `field`. */
export interface UsageMistake {
  /** A path such as `usage.prompt_tokens_details.cached_tokens`. */
  field: string
  detail: string
}

export const isMistake = (answer: Pools | UsageMistake): answer is UsageMistake => 'detail' in answer

/** All tokens of a call. */
export const tokensOf = ({ input, cacheRead, cacheWrite, output, reasoning }: Pools): number =>
  input + cacheRead + cacheWrite + output + reasoning
