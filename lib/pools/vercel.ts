import { isObject, isThere, optional } from './count.ts'
import { INCLUSIVE, type Shape, UNSAID } from './shape.ts'

export const PROVIDER_LEVEL: Shape = {
  ...UNSAID,
  ...INCLUSIVE,
  name: 'Vercel AI SDK provider usage',
  is: (usage) => isObject(usage.inputTokens) || isObject(usage.outputTokens),
  input: optional('inputTokens.total'),
  uncached: optional('inputTokens.noCache'),
  cacheRead: optional('inputTokens.cacheRead'),
  cacheWrite: optional('inputTokens.cacheWrite'),
  // `raw` is what the provider said: the AI SDK has no name for the hour.
  cacheWrite1h: optional('raw.cache_creation.ephemeral_1h_input_tokens'),
  output: optional('outputTokens.total'),
  text: optional('outputTokens.text'),
  reasoning: optional('outputTokens.reasoning'),
}

export const AI_SDK: Shape = {
  ...UNSAID,
  ...INCLUSIVE,
  name: 'Vercel AI SDK 5 to 7',
  is: (usage) =>
    isThere(usage.inputTokenDetails) ||
    isThere(usage.outputTokenDetails) ||
    isThere(usage.cachedInputTokens) ||
    isThere(usage.reasoningTokens),
  input: optional('inputTokens'),
  uncached: optional('inputTokenDetails.noCacheTokens'),
  // The flat names are those of version 5; 6 has both.
  cacheRead: optional('inputTokenDetails.cacheReadTokens', 'cachedInputTokens'),
  cacheWrite: optional('inputTokenDetails.cacheWriteTokens'),
  cacheWrite1h: optional('raw.cache_creation.ephemeral_1h_input_tokens'),
  output: optional('outputTokens'),
  text: optional('outputTokenDetails.textTokens'),
  reasoning: optional('outputTokenDetails.reasoningTokens', 'reasoningTokens'),
  // In version 5, Google's output excludes reasoning.
  total: optional('totalTokens'),
}
