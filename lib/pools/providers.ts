import { FIVE_MINUTES, HOUR, isThere, optional, required } from './count.ts'
import { INCLUSIVE, NONE, type Shape, UNSAID } from './shape.ts'

/** OpenAI's and Anthropic's names for it; they mean the same. */
const REASONING = ['output_tokens_details.reasoning_tokens', 'output_tokens_details.thinking_tokens']

export const CHAT: Shape = {
  ...UNSAID,
  ...INCLUSIVE,
  name: 'OpenAI Chat Completions',
  is: (usage) => isThere(usage.prompt_tokens) || isThere(usage.completion_tokens),
  input: required('prompt_tokens'),
  cacheRead: optional('prompt_tokens_details.cached_tokens'),
  // The second name, and the hour, are LiteLLM's.
  cacheWrite: optional('prompt_tokens_details.cache_write_tokens', 'prompt_tokens_details.cache_creation_tokens'),
  cacheWrite1h: optional('prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens'),
  // Embeddings have none.
  output: optional('completion_tokens'),
  reasoning: optional('completion_tokens_details.reasoning_tokens'),
  // xAI counts reasoning beside its completion_tokens.
  total: optional('total_tokens'),
}

export const RESPONSES: Shape = {
  ...UNSAID,
  ...INCLUSIVE,
  name: 'OpenAI Responses',
  // Not output_tokens_details, which Anthropic has too. The names in the singular are the Realtime API's.
  is: (usage) => isThere(usage.input_tokens_details) || isThere(usage.input_token_details),
  input: required('input_tokens'),
  cacheRead: optional('input_tokens_details.cached_tokens', 'input_token_details.cached_tokens'),
  cacheWrite: optional('input_tokens_details.cache_write_tokens'),
  output: required('output_tokens'),
  reasoning: optional(...REASONING),
}

export const ANTHROPIC: Shape = {
  ...UNSAID,
  name: 'Anthropic Messages',
  // OpenAI's without details is read here: without a cache, both mean the same.
  is: (usage) =>
    isThere(usage.input_tokens) ||
    isThere(usage.output_tokens) ||
    isThere(usage.cache_read_input_tokens) ||
    isThere(usage.cache_creation_input_tokens) ||
    isThere(usage.cache_creation),
  // Null in message_delta.
  input: optional('input_tokens'),
  inputHasCache: false,
  cacheRead: optional('cache_read_input_tokens'),
  cacheWrite: optional('cache_creation_input_tokens'),
  cacheWrite5m: optional('cache_creation.ephemeral_5m_input_tokens'),
  cacheWrite1h: optional('cache_creation.ephemeral_1h_input_tokens'),
  output: required('output_tokens'),
  outputHasReasoning: true,
  reasoning: optional(...REASONING),
}

export const GEMINI: Shape = {
  ...UNSAID,
  name: 'Gemini usageMetadata',
  // Not the total: alone, it does not say what was used.
  is: (usage) =>
    isThere(usage.promptTokenCount) ||
    isThere(usage.candidatesTokenCount) ||
    isThere(usage.responseTokenCount) ||
    isThere(usage.thoughtsTokenCount) ||
    isThere(usage.cachedContentTokenCount) ||
    isThere(usage.toolUsePromptTokenCount),
  input: optional('promptTokenCount'),
  inputHasCache: true,
  moreInput: optional('toolUsePromptTokenCount'),
  cacheRead: optional('cachedContentTokenCount'),
  cacheWrite: NONE,
  // The second name is the Live API's.
  output: optional('candidatesTokenCount', 'responseTokenCount'),
  outputHasReasoning: false,
  reasoning: optional('thoughtsTokenCount'),
}

export const BEDROCK: Shape = {
  ...UNSAID,
  name: 'Bedrock Converse',
  // The AI SDK's without details is read here: without a cache, both mean the same.
  is: (usage) =>
    isThere(usage.inputTokens) ||
    isThere(usage.outputTokens) ||
    isThere(usage.cacheReadInputTokens) ||
    isThere(usage.cacheWriteInputTokens),
  input: optional('inputTokens'),
  inputHasCache: false,
  cacheRead: optional('cacheReadInputTokens'),
  cacheWrite: optional('cacheWriteInputTokens'),
  cacheWrite5m: optional(`cacheDetails.${FIVE_MINUTES}.inputTokens`),
  cacheWrite1h: optional(`cacheDetails.${HOUR}.inputTokens`),
  output: optional('outputTokens'),
  outputHasReasoning: false,
  reasoning: NONE,
}
