/** A small seeded generator (mulberry32), so that a failure can be repeated by its seed. */
export interface Random {
  seed: number
  /** At least 0, below 1. */
  next(): number
  below(n: number): number
  pick<T>(values: readonly T[]): T
}

/** Creates a generator from the given seed, FLAGMETER_SEED, or a new one. */
export function createRandom(seed = Number(process.env.FLAGMETER_SEED ?? Date.now() % 1_000_000)): Random {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  return { seed, next, below, pick: (values) => values[below(values.length)]! }
}
