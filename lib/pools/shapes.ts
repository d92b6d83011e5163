import { quote } from '../words.ts'
import { type Unchecked, isThere, optional } from './count.ts'
import type { UsageMistake } from './pools.ts'
import { ANTHROPIC, BEDROCK, CHAT, GEMINI, RESPONSES } from './providers.ts'
import { type Shape, UNSAID } from './shape.ts'
import { AI_SDK, PROVIDER_LEVEL } from './vercel.ts'

const OWN: Shape = {
  ...UNSAID,
  name: 'the five pools (input, cacheRead, cacheWrite, output, reasoning)',
  // A provider's response, sent instead of its usage, may have an `output` that is a list.
  is: (usage) =>
    isSimple(usage.input) ||
    isSimple(usage.cacheRead) ||
    isSimple(usage.cacheWrite) ||
    isSimple(usage.output) ||
    isSimple(usage.reasoning),
  input: optional('input'),
  inputHasCache: false,
  cacheRead: optional('cacheRead'),
  cacheWrite: optional('cacheWrite'),
  cacheWrite1h: optional('cacheWrite1h'),
  output: optional('output'),
  outputHasReasoning: false,
  reasoning: optional('reasoning'),
}

function isSimple(value: unknown): boolean {
  return isThere(value) && typeof value !== 'object'
}

/**
 * All shapes. An object with signs of several is read as the first of them. So what a gateway adds for another API's
 * readers changes nothing; and a shape whose input includes the cache comes before one that shares its names and whose
 * input does not, so that no token counts twice.
 */
const SHAPES: readonly Shape[] = [CHAT, RESPONSES, ANTHROPIC, GEMINI, PROVIDER_LEVEL, AI_SDK, BEDROCK, OWN]

export function shapeOf(usage: Unchecked): Shape | undefined {
  for (const shape of SHAPES) if (shape.is(usage)) return shape
  return undefined
}

const NAMED_KEYS = 5
const KEY_CHARACTERS = 40

/** Says which keys there are, and which shapes are known. */
export function unknownShape(usage: Unchecked): UsageMistake {
  const keys: string[] = []
  for (const key in usage) if (keys.push(quote(shortenKey(key))) > NAMED_KEYS) break
  const named = keys.slice(0, NAMED_KEYS).join(', ') + (keys.length > NAMED_KEYS ? ' and more' : '')
  const seen = keys.length === 0 ? 'it is empty' : `its keys are ${named}`
  const known = SHAPES.map(({ name }) => name).join(', ')
  return { field: 'usage', detail: `is of no known shape: ${seen}; known are ${known}` }
}

const shortenKey = (key: string): string =>
  key.length <= KEY_CHARACTERS ? key : `${key.slice(0, KEY_CHARACTERS - 1)}…`
