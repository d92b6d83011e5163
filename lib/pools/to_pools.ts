import { withCommas } from '../words.ts'
import { type Unchecked, fieldRead, isObject, readCount } from './count.ts'
import { MAX_TOKENS, type Pools, type UsageMistake, tokensOf } from './pools.ts'
import type { Counts, Shape } from './shape.ts'
import { shapeOf, unknownShape } from './shapes.ts'

/** The counts that were there. */
type Said = Counts<number | undefined>

/**
 * The pools of a usage object: our own five, or a provider's as it came. Keys that its shape does not have are never
 * looked at, so it takes as long whatever else is in it; only of an object of no known shape are the keys listed.
 */
export function toPools(usage: unknown): Pools | UsageMistake {
  if (!isObject(usage)) return { field: 'usage', detail: 'must be an object' }
  const shape = shapeOf(usage)
  if (shape === undefined) return unknownShape(usage)
  const said = read(usage, shape)
  if ('detail' in said) return said
  return separate(usage, shape, said)
}

/** A part that is not needed is not read: a wrong one does no harm. */
const WHOLE_OF: Partial<Record<keyof Said, keyof Said>> = {
  uncached: 'input',
  text: 'output',
  cacheWrite5m: 'cacheWrite',
}

/** Wholes come before their parts. */
const NAMES: readonly (keyof Said)[] = [
  'input',
  'uncached',
  'moreInput',
  'cacheRead',
  'cacheWrite',
  'cacheWrite5m',
  'cacheWrite1h',
  'output',
  'text',
  'reasoning',
  'total',
]

function read(usage: Unchecked, shape: Shape): Said | UsageMistake {
  const said: Said = { ...NOTHING }
  for (const name of NAMES) {
    const whole = WHOLE_OF[name]
    if (whole !== undefined && said[whole] !== undefined) continue
    const count = readCount(usage, shape[name])
    if (typeof count === 'object') return count
    said[name] = count
  }
  return said
}

const NOTHING = Object.fromEntries(NAMES.map((name) => [name, undefined])) as unknown as Said

/** Takes the counts out of those that include them. */
function separate(usage: Unchecked, shape: Shape, said: Said): Pools | UsageMistake {
  const { cacheRead = 0, cacheWrite1h = 0, reasoning = 0, moreInput = 0 } = said
  const cacheWrite = said.cacheWrite ?? (said.cacheWrite5m ?? 0) + cacheWrite1h
  if (cacheWrite1h > cacheWrite) return tooMuch(usage, shape, 'cacheWrite1h', 'cacheWrite', cacheWrite)

  let input = said.input ?? said.uncached ?? 0
  if (shape.inputHasCache && said.input !== undefined) {
    if (cacheRead > input) return tooMuch(usage, shape, 'cacheRead', 'input', input)
    if (cacheRead + cacheWrite > input) return tooMuch(usage, shape, 'cacheWrite', 'input', input - cacheRead)
    input -= cacheRead + cacheWrite
  }

  let output = said.output ?? said.text ?? 0
  if (shape.outputHasReasoning && said.output !== undefined && !isBeside(said)) {
    if (reasoning > output) return tooMuch(usage, shape, 'reasoning', 'output', output)
    output -= reasoning
  }

  const pools: Pools = { input: input + moreInput, cacheRead, cacheWrite, output, reasoning }
  if (cacheWrite1h > 0) pools.cacheWrite1h = cacheWrite1h
  if (tokensOf(pools) <= MAX_TOKENS) return pools
  return { field: 'usage', detail: `must come to at most ${withCommas(MAX_TOKENS)} tokens in all` }
}

/** The object's own sum says that reasoning is not part of its output; otherwise the sum would be smaller. */
const isBeside = ({ input = 0, output = 0, reasoning = 0, total }: Said): boolean =>
  total === input + output + reasoning

/** A part is larger than what is left for it in the count that includes it. */
function tooMuch(usage: Unchecked, shape: Shape, part: keyof Said, whole: keyof Said, most: number): UsageMistake {
  const beside = part === 'cacheWrite' ? ` and ${fieldRead(usage, shape.cacheRead)}` : ''
  const includes = `because ${fieldRead(usage, shape[whole])} includes it${beside}`
  return { field: fieldRead(usage, shape[part]), detail: `must be at most ${withCommas(most)}, ${includes}` }
}
