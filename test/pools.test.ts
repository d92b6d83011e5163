import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_TOKENS, type Pools, isMistake, tokensOf } from '../lib/pools/pools.ts'
import { toPools } from '../lib/pools/to_pools.ts'

/** As it arrives: through JSON, which drops what is undefined. */
const received = (usage: unknown): unknown => JSON.parse(JSON.stringify(usage))

const pools = (counts: Partial<Pools>): Pools => ({
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  reasoning: 0,
  ...counts,
})

/** One call as each source tells it. */
const CHAT = {
  prompt_tokens: 1000,
  completion_tokens: 50,
  total_tokens: 1050,
  prompt_tokens_details: { cached_tokens: 800, cache_write_tokens: 120, audio_tokens: 7 },
  completion_tokens_details: {
    reasoning_tokens: 20,
    audio_tokens: 3,
    accepted_prediction_tokens: 4,
    rejected_prediction_tokens: 5,
  },
}
const RESPONSES = {
  input_tokens: 1000,
  input_tokens_details: { cached_tokens: 800, cache_write_tokens: 120 },
  output_tokens: 50,
  output_tokens_details: { reasoning_tokens: 20 },
  total_tokens: 1050,
}
const ANTHROPIC = {
  input_tokens: 80,
  cache_read_input_tokens: 800,
  cache_creation_input_tokens: 120,
  cache_creation: { ephemeral_5m_input_tokens: 120, ephemeral_1h_input_tokens: 0 },
  output_tokens: 50,
  output_tokens_details: { thinking_tokens: 20 },
  server_tool_use: { web_search_requests: 2, web_fetch_requests: 1 },
  service_tier: 'standard',
  inference_geo: null,
}
const GEMINI = {
  promptTokenCount: 950,
  cachedContentTokenCount: 800,
  toolUsePromptTokenCount: 50,
  candidatesTokenCount: 30,
  thoughtsTokenCount: 20,
  totalTokenCount: 1050,
  promptTokensDetails: [{ modality: 'TEXT', tokenCount: 950 }],
}
const BEDROCK = {
  inputTokens: 80,
  outputTokens: 50,
  totalTokens: 1050,
  cacheReadInputTokens: 800,
  cacheWriteInputTokens: 120,
  cacheDetails: [{ ttl: '5m', inputTokens: 120 }],
}
const AI_SDK = {
  inputTokens: 1000,
  inputTokenDetails: { noCacheTokens: 80, cacheReadTokens: 800, cacheWriteTokens: 120 },
  outputTokens: 50,
  outputTokenDetails: { textTokens: 30, reasoningTokens: 20 },
  totalTokens: 1050,
  reasoningTokens: 20,
  cachedInputTokens: 800,
  raw: ANTHROPIC,
}
const PROVIDER_LEVEL = {
  inputTokens: { total: 1000, noCache: 80, cacheRead: 800, cacheWrite: 120 },
  outputTokens: { total: 50, text: 30, reasoning: 20 },
  raw: ANTHROPIC,
}
const AI_SDK_5 = { inputTokens: 1000, outputTokens: 50, totalTokens: 1050, cachedInputTokens: 800, reasoningTokens: 20 }
const OWN = { input: 80, cacheRead: 800, cacheWrite: 120, output: 30, reasoning: 20 }

const SHAPES = { CHAT, RESPONSES, ANTHROPIC, GEMINI, BEDROCK, AI_SDK, PROVIDER_LEVEL, AI_SDK_5, OWN }

/** The same object with something else at a path; undefined removes it. */
function withAt(usage: object, path: string, value: unknown): unknown {
  const copy = structuredClone(usage) as Record<string, unknown>
  const keys = path.split('.')
  const last = keys.pop()!
  const holder = keys.reduce<Record<string, unknown>>((at, key) => at[key] as Record<string, unknown>, copy)
  if (value === undefined) delete holder[last]
  else holder[last] = value
  return copy
}

describe('the same call has the same pools', () => {
  test('whichever source says all of it', () => {
    for (const usage of [CHAT, RESPONSES, ANTHROPIC, AI_SDK, PROVIDER_LEVEL, OWN])
      expect(toPools(received(usage))).toEqual(OWN)
    expect(tokensOf(OWN)).toBe(1050)
  })

  test('as far as a source can say it', () => {
    expect(toPools(GEMINI)).toEqual({ ...OWN, input: 200, cacheWrite: 0 })
    expect(toPools(AI_SDK_5)).toEqual({ ...OWN, input: 200, cacheWrite: 0 })
    expect(toPools(BEDROCK)).toEqual({ ...OWN, output: 50, reasoning: 0 })
    for (const usage of Object.values(SHAPES)) expect(tokensOf(toPools(usage) as Pools)).toBe(1050)
  })

  test('of plain input and output, where nothing tells the sources apart', () => {
    const plain = pools({ input: 7, output: 5 })
    for (const usage of [
      { input: 7, output: 5 },
      { prompt_tokens: 7, completion_tokens: 5 },
      { input_tokens: 7, output_tokens: 5 },
      { inputTokens: 7, outputTokens: 5 },
      { promptTokenCount: 7, candidatesTokenCount: 5 },
      { inputTokens: { total: 7 }, outputTokens: { total: 5 } },
      { inputTokens: 7, outputTokens: 5, inputTokenDetails: {}, outputTokenDetails: {} },
    ])
      expect(toPools(usage)).toEqual(plain)
  })

  test('with what was written to a cache for an hour, as far as a source can say it', () => {
    const hour = { ...OWN, cacheWrite1h: 100 }
    const raw = withAt(ANTHROPIC, 'cache_creation', { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 100 })
    const details = [
      { ttl: '1h', inputTokens: 100 },
      { ttl: '5m', inputTokens: 20 },
    ]
    for (const usage of [
      hour,
      raw,
      { ...AI_SDK, raw },
      { ...PROVIDER_LEVEL, raw },
      // LiteLLM's
      withAt(CHAT, 'prompt_tokens_details', {
        cached_tokens: 800,
        cache_creation_tokens: 120,
        cache_creation_token_details: { ephemeral_5m_input_tokens: 20, ephemeral_1h_input_tokens: 100 },
      }),
    ])
      expect(toPools(usage)).toEqual(hour)
    for (const cacheDetails of [details, details.toReversed()])
      expect(toPools({ ...BEDROCK, cacheDetails })).toEqual({ ...hour, output: 50, reasoning: 0 })
  })

  test('when it used nothing', () => {
    for (const [name, usage] of Object.entries(SHAPES)) {
      const zeros = JSON.parse(JSON.stringify(usage, (_, value) => (typeof value === 'number' ? 0 : value)))
      expect([name, toPools(zeros)]).toEqual([name, pools({})])
    }
    expect(toPools(received({ inputTokens: undefined, outputTokens: undefined, inputTokenDetails: {} }))).toEqual(
      pools({}),
    )
    expect(Object.is((toPools(JSON.parse('{"input":-0}')) as Pools).input, 0)).toBe(true)
  })

  test('when reasoning comes on top of the output, as the total says', () => {
    // xAI's
    const xai = { prompt_tokens: 32, completion_tokens: 9, total_tokens: 135 }
    const reasoning = (tokens: number) => ({ ...xai, completion_tokens_details: { reasoning_tokens: tokens } })
    expect(toPools(reasoning(94))).toEqual(pools({ input: 32, output: 9, reasoning: 94 }))
    expect(toPools({ ...reasoning(5), total_tokens: 46 })).toEqual(pools({ input: 32, output: 9, reasoning: 5 }))
    expect(toPools({ ...reasoning(5), total_tokens: 41 })).toEqual(pools({ input: 32, output: 4, reasoning: 5 }))
    expect(toPools({ ...reasoning(94), total_tokens: 41 })).toHaveProperty('detail')
    // Google's through version 5 of the AI SDK
    expect(toPools({ inputTokens: 32, outputTokens: 9, reasoningTokens: 5, totalTokens: 46 })).toEqual(
      pools({ input: 32, output: 9, reasoning: 5 }),
    )
  })

  test("as other objects of OpenAI's, Anthropic's and Google's APIs tell it", () => {
    expect(toPools({ prompt_tokens: 8, total_tokens: 8 }), 'embeddings').toEqual(pools({ input: 8 }))
    expect(
      toPools({ input_tokens: 9, output_tokens: 5, input_token_details: { cached_tokens: 4, text_tokens: 9 } }),
      'Realtime',
    ).toEqual(pools({ input: 5, cacheRead: 4, output: 5 }))
    expect(
      toPools({ input_tokens: 9, output_tokens: 5, input_tokens_details: { image_tokens: 4, text_tokens: 5 } }),
      'images',
    ).toEqual(pools({ input: 9, output: 5 }))
    expect(toPools({ input_tokens: null, output_tokens: 5, cache_read_input_tokens: null }), 'message_delta').toEqual(
      pools({ output: 5 }),
    )
    expect(toPools({ promptTokenCount: 9, responseTokenCount: 5 }), 'Gemini Live').toEqual(
      pools({ input: 9, output: 5 }),
    )
  })
})

describe('a count that is absent or null', () => {
  const optional: [keyof typeof SHAPES, string, Partial<Pools>][] = [
    ['CHAT', 'prompt_tokens_details', { input: 1000, cacheRead: 0, cacheWrite: 0 }],
    ['CHAT', 'prompt_tokens_details.cached_tokens', { input: 880, cacheRead: 0 }],
    ['CHAT', 'prompt_tokens_details.cache_write_tokens', { input: 200, cacheWrite: 0 }],
    ['CHAT', 'completion_tokens_details', { output: 50, reasoning: 0 }],
    ['CHAT', 'completion_tokens_details.reasoning_tokens', { output: 50, reasoning: 0 }],
    ['CHAT', 'total_tokens', {}],
    ['RESPONSES', 'input_tokens_details', { input: 1000, cacheRead: 0, cacheWrite: 0 }],
    ['RESPONSES', 'input_tokens_details.cached_tokens', { input: 880, cacheRead: 0 }],
    ['RESPONSES', 'input_tokens_details.cache_write_tokens', { input: 200, cacheWrite: 0 }],
    ['RESPONSES', 'output_tokens_details', { output: 50, reasoning: 0 }],
    ['RESPONSES', 'output_tokens_details.reasoning_tokens', { output: 50, reasoning: 0 }],
    ['ANTHROPIC', 'input_tokens', { input: 0 }],
    ['ANTHROPIC', 'cache_read_input_tokens', { cacheRead: 0 }],
    ['ANTHROPIC', 'cache_creation_input_tokens', {}],
    ['ANTHROPIC', 'cache_creation', {}],
    ['ANTHROPIC', 'cache_creation.ephemeral_1h_input_tokens', {}],
    ['ANTHROPIC', 'output_tokens_details', { output: 50, reasoning: 0 }],
    ['ANTHROPIC', 'output_tokens_details.thinking_tokens', { output: 50, reasoning: 0 }],
    ['GEMINI', 'promptTokenCount', { input: 50, cacheWrite: 0 }],
    ['GEMINI', 'cachedContentTokenCount', { input: 1000, cacheRead: 0, cacheWrite: 0 }],
    ['GEMINI', 'toolUsePromptTokenCount', { input: 150, cacheWrite: 0 }],
    ['GEMINI', 'candidatesTokenCount', { input: 200, cacheWrite: 0, output: 0 }],
    ['GEMINI', 'thoughtsTokenCount', { input: 200, cacheWrite: 0, reasoning: 0 }],
    ['GEMINI', 'totalTokenCount', { input: 200, cacheWrite: 0 }],
    ['BEDROCK', 'inputTokens', { input: 0, output: 50, reasoning: 0 }],
    ['BEDROCK', 'outputTokens', { output: 0, reasoning: 0 }],
    ['BEDROCK', 'cacheReadInputTokens', { cacheRead: 0, output: 50, reasoning: 0 }],
    ['BEDROCK', 'cacheWriteInputTokens', { output: 50, reasoning: 0 }],
    ['BEDROCK', 'cacheDetails', { output: 50, reasoning: 0 }],
    ['AI_SDK', 'inputTokens', {}],
    ['AI_SDK', 'inputTokenDetails.noCacheTokens', {}],
    // Version 6 has the flat name beside it.
    ['AI_SDK', 'inputTokenDetails.cacheReadTokens', {}],
    ['AI_SDK', 'inputTokenDetails.cacheWriteTokens', { input: 200, cacheWrite: 0 }],
    ['AI_SDK', 'outputTokens', {}],
    ['AI_SDK', 'outputTokenDetails.reasoningTokens', {}],
    ['AI_SDK', 'raw', {}],
    ['PROVIDER_LEVEL', 'inputTokens', { input: 0, cacheRead: 0, cacheWrite: 0 }],
    ['PROVIDER_LEVEL', 'inputTokens.total', {}],
    ['PROVIDER_LEVEL', 'inputTokens.noCache', {}],
    ['PROVIDER_LEVEL', 'inputTokens.cacheRead', { input: 880, cacheRead: 0 }],
    ['PROVIDER_LEVEL', 'inputTokens.cacheWrite', { input: 200, cacheWrite: 0 }],
    ['PROVIDER_LEVEL', 'outputTokens', { output: 0, reasoning: 0 }],
    ['PROVIDER_LEVEL', 'outputTokens.total', {}],
    ['PROVIDER_LEVEL', 'outputTokens.reasoning', { output: 50, reasoning: 0 }],
    ['AI_SDK_5', 'cachedInputTokens', { input: 1000, cacheRead: 0, cacheWrite: 0 }],
    ['AI_SDK_5', 'reasoningTokens', { input: 200, cacheWrite: 0, output: 50, reasoning: 0 }],
    ['OWN', 'input', { input: 0 }],
    ['OWN', 'cacheRead', { cacheRead: 0 }],
    ['OWN', 'cacheWrite', { cacheWrite: 0 }],
    ['OWN', 'output', { output: 0 }],
    ['OWN', 'reasoning', { reasoning: 0 }],
  ]

  test.each(optional)('in %s: %s', (shape, path, difference) => {
    for (const value of [undefined, null])
      expect(toPools(withAt(SHAPES[shape], path, value))).toEqual({ ...OWN, ...difference })
  })

  test('is asked for where a provider always sends it', () => {
    for (const [usage, field] of [
      [CHAT, 'prompt_tokens'],
      [RESPONSES, 'input_tokens'],
      [RESPONSES, 'output_tokens'],
      [ANTHROPIC, 'output_tokens'],
      [{ input_tokens: 14 }, 'output_tokens'],
    ] as const)
      for (const value of [undefined, null])
        expect(toPools(withAt(usage, field, value))).toEqual({ field: `usage.${field}`, detail: 'is required' })
  })
})

describe('an object with signs of two shapes', () => {
  test('is read as the first in the table, whatever the other says', () => {
    const order = [CHAT, RESPONSES, ANTHROPIC, GEMINI, PROVIDER_LEVEL, AI_SDK, BEDROCK, OWN]
    for (const [i, first] of order.entries())
      for (const other of order.slice(i + 1)) expect(toPools({ ...other, ...first })).toEqual(toPools(first))
  })

  test("keeps to OpenAI's meaning when a gateway adds Anthropic's names", () => {
    const added = { cache_read_input_tokens: 800, cache_creation_input_tokens: 120 }
    expect(toPools({ ...CHAT, ...added })).toEqual(OWN)
    expect(toPools({ ...RESPONSES, ...added })).toEqual(OWN)
  })

  test('is not misled by details that two shapes share, nor by keys that are null', () => {
    const usage = { input_tokens: 80, output_tokens: 50, cache_read_input_tokens: 800 }
    for (const details of [{ thinking_tokens: 20 }, { reasoning_tokens: 20 }])
      expect(toPools({ ...usage, output_tokens_details: details })).toEqual({ ...OWN, cacheWrite: 0 })
    expect(toPools({ ...ANTHROPIC, input_tokens_details: null, prompt_tokens: null })).toEqual(OWN)
    expect(toPools({ ...RESPONSES, cache_read_input_tokens: null, cache_creation: null })).toEqual(OWN)
    expect(toPools({ ...BEDROCK, cachedInputTokens: null })).toEqual({ ...OWN, output: 50, reasoning: 0 })
  })
})

describe('what contradicts itself is refused by its field', () => {
  const contradictions: [keyof typeof SHAPES, string, string][] = [
    ['CHAT', 'prompt_tokens_details.cached_tokens', 'usage.prompt_tokens'],
    ['CHAT', 'prompt_tokens_details.cache_write_tokens', 'usage.prompt_tokens'],
    ['CHAT', 'completion_tokens_details.reasoning_tokens', 'usage.completion_tokens'],
    ['RESPONSES', 'input_tokens_details.cached_tokens', 'usage.input_tokens'],
    ['RESPONSES', 'input_tokens_details.cache_write_tokens', 'usage.input_tokens'],
    ['RESPONSES', 'output_tokens_details.reasoning_tokens', 'usage.output_tokens'],
    ['ANTHROPIC', 'output_tokens_details.thinking_tokens', 'usage.output_tokens'],
    ['ANTHROPIC', 'cache_creation.ephemeral_1h_input_tokens', 'usage.cache_creation_input_tokens'],
    ['GEMINI', 'cachedContentTokenCount', 'usage.promptTokenCount'],
    ['AI_SDK', 'inputTokenDetails.cacheReadTokens', 'usage.inputTokens'],
    ['AI_SDK', 'inputTokenDetails.cacheWriteTokens', 'usage.inputTokens'],
    ['AI_SDK', 'outputTokenDetails.reasoningTokens', 'usage.outputTokens'],
    ['AI_SDK', 'raw.cache_creation.ephemeral_1h_input_tokens', 'usage.inputTokenDetails.cacheWriteTokens'],
    ['PROVIDER_LEVEL', 'inputTokens.cacheRead', 'usage.inputTokens.total'],
    ['PROVIDER_LEVEL', 'inputTokens.cacheWrite', 'usage.inputTokens.total'],
    ['PROVIDER_LEVEL', 'outputTokens.reasoning', 'usage.outputTokens.total'],
    ['AI_SDK_5', 'cachedInputTokens', 'usage.inputTokens'],
    ['AI_SDK_5', 'reasoningTokens', 'usage.outputTokens'],
  ]

  test.each(contradictions)('in %s: %s', (shape, path, whole) => {
    const mistake = toPools(withAt(SHAPES[shape], path, 9_000))
    expect(mistake).toHaveProperty('field', `usage.${path}`)
    expect(mistake).toHaveProperty('detail', expect.stringContaining(`because ${whole} includes it`))
  })

  test('in words', () => {
    expect(toPools({ prompt_tokens: 1000, prompt_tokens_details: { cached_tokens: 2000 } })).toEqual({
      field: 'usage.prompt_tokens_details.cached_tokens',
      detail: 'must be at most 1,000, because usage.prompt_tokens includes it',
    })
    expect(toPools(withAt(CHAT, 'prompt_tokens_details.cache_write_tokens', 201))).toEqual({
      field: 'usage.prompt_tokens_details.cache_write_tokens',
      detail:
        'must be at most 200, because usage.prompt_tokens includes it and usage.prompt_tokens_details.cached_tokens',
    })
    expect(toPools({ ...OWN, cacheWrite1h: 121 })).toEqual({
      field: 'usage.cacheWrite1h',
      detail: 'must be at most 120, because usage.cacheWrite includes it',
    })
  })

  test('but parts that need not be read may be wrong', () => {
    expect(toPools(withAt(AI_SDK, 'inputTokenDetails.noCacheTokens', -5))).toEqual(OWN)
    expect(toPools(withAt(ANTHROPIC, 'cache_creation.ephemeral_5m_input_tokens', 'x'))).toEqual(OWN)
  })
})

describe('hostile input', () => {
  test('that is no object is refused', () => {
    for (const usage of [undefined, null, 1, 'input', true, [], [OWN], 10n, Symbol('x'), () => OWN])
      expect(toPools(usage)).toEqual({ field: 'usage', detail: 'must be an object' })
  })

  test('in place of a count is refused by its field', () => {
    const detail = 'must be a whole number between 0 and 1,000,000,000'
    for (const text of ['-1', '0.5', '1e9999', '1000000001', '9007199254740993', '"5"', 'true', '[]', '[[1]]', '{}'])
      for (const [path, json] of [
        ['prompt_tokens', `{"prompt_tokens":${text}}`],
        [
          'prompt_tokens_details.cached_tokens',
          `{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":${text}}}`,
        ],
        ['cacheRead', `{"input":1,"cacheRead":${text}}`],
      ] as const)
        expect(toPools(JSON.parse(json))).toEqual({ field: `usage.${path}`, detail })
  })

  test('in place of an object is refused by its field', () => {
    for (const value of [5, 'x', [5], true])
      expect(toPools({ ...CHAT, prompt_tokens_details: value })).toEqual({
        field: 'usage.prompt_tokens_details',
        detail: 'must be an object',
      })
    for (const cacheDetails of [5, 'x', {}, [5, null, { ttl: '1h', inputTokens: 9 }]])
      expect(toPools({ ...BEDROCK, cacheDetails })).toEqual({ ...OWN, output: 50, reasoning: 0 })
  })

  test('beyond the bound is refused as a whole', () => {
    const half = MAX_TOKENS / 2
    expect(toPools({ input: half, output: half })).toEqual(pools({ input: half, output: half }))
    const detail = 'must come to at most 1,000,000,000 tokens in all'
    for (const usage of [
      { input: half, output: half, reasoning: 1 },
      { input: MAX_TOKENS, cacheRead: MAX_TOKENS, cacheWrite: MAX_TOKENS, output: MAX_TOKENS, reasoning: MAX_TOKENS },
      { promptTokenCount: MAX_TOKENS, toolUsePromptTokenCount: MAX_TOKENS },
    ])
      expect(toPools(usage)).toEqual({ field: 'usage', detail })
  })

  test('of no known shape is told its keys, at most five and shortened, and the shapes that are known', () => {
    const known = expect.stringMatching(
      /known are OpenAI Chat Completions, .*Bedrock Converse, the five pools \(input, /,
    )
    for (const [usage, seen] of [
      [{}, 'it is empty'],
      [{ total: 5 }, "its keys are 'total'"],
      [{ a: 1, b: 1, c: 1, d: 1, e: 1 }, "its keys are 'a', 'b', 'c', 'd', 'e'"],
      [{ a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 }, "its keys are 'a', 'b', 'c', 'd', 'e' and more"],
      [{ ['x'.repeat(1_000_000)]: 1 }, `its keys are '${'x'.repeat(39)}…'`],
      [{ '\u202Eab\u0000': 1 }, "its keys are '\uFFFDab\uFFFD'"],
      [{ totalTokenCount: 12 }, "its keys are 'totalTokenCount'"],
      [{ id: 'resp_1', output: [], usage: RESPONSES }, "its keys are 'id', 'output', 'usage'"],
    ] as const) {
      expect(toPools(usage)).toEqual({ field: 'usage', detail: known })
      expect(toPools(usage)).toHaveProperty('detail', expect.stringContaining(`is of no known shape: ${seen}; known`))
    }
  })

  test('beside what is read by name changes nothing', () => {
    const many = Array.from({ length: 100_000 }, (_, i) => `"key ${i}":[{"input":${i}}]`).join(',')
    const deep = '['.repeat(10_000) + ']'.repeat(10_000)
    for (const usage of Object.values(SHAPES)) {
      const own = JSON.stringify(usage).slice(1)
      const hostile = JSON.parse(`{"__proto__":{"input":7},"constructor":{},"deep":${deep},${own}`)
      expect(toPools(hostile)).toEqual(toPools(usage))
    }
    expect(toPools(JSON.parse(`{${many},"input":7}`))).toEqual(pools({ input: 7 }))
    expect(toPools(JSON.parse('{"__proto__":{"input":7}}'))).toHaveProperty(
      'detail',
      expect.stringContaining("its keys are '__proto__';"),
    )
  })

  test('never throws, and what it comes to is whole, not negative and within the bound', () => {
    const value = fc.oneof(
      { weight: 6, arbitrary: fc.nat(100) },
      fc.constantFrom(null, undefined, -1, 0.5, -0, 2e9, Infinity, Number.NaN, '5', [], [[1]]),
      fc.integer({ min: 0, max: MAX_TOKENS }),
      fc.anything(),
    )
    // Every shape with any of its values replaced, two shapes in one object, and anything at all.
    const altered = (usage: unknown): fc.Arbitrary<unknown> =>
      typeof usage === 'object' && usage !== null && !Array.isArray(usage)
        ? fc.oneof(
            {
              weight: 9,
              arbitrary: fc.record(
                Object.fromEntries(Object.entries(usage).map(([key, inner]) => [key, altered(inner)])),
                { requiredKeys: [] },
              ),
            },
            value,
          )
        : fc.oneof({ weight: 3, arbitrary: fc.constant(usage) }, value)
    const shape = fc.oneof(...Object.values(SHAPES).map(altered))
    const both = fc
      .tuple(shape, shape)
      .map(([a, b]) => ({ ...(a as object | undefined), ...(b as object | undefined) }))
    let valid = 0
    fc.assert(
      fc.property(fc.oneof(shape, both, fc.anything(), fc.jsonValue()), (usage) => {
        const answer = toPools(usage)
        if (isMistake(answer)) {
          expect(answer.field).toMatch(/^usage(\.\w+)*$/)
          return
        }
        valid++
        const { cacheWrite1h = 0, ...five } = answer
        for (const count of [...Object.values(five), cacheWrite1h]) {
          expect(Number.isSafeInteger(count) && !Object.is(count, -0)).toBe(true)
          expect(count).toBeGreaterThanOrEqual(0)
        }
        expect(Object.keys(five)).toEqual(Object.keys(OWN))
        expect(cacheWrite1h).toBeLessThanOrEqual(five.cacheWrite)
        expect(tokensOf(answer)).toBeLessThanOrEqual(MAX_TOKENS)
      }),
      { numRuns: 5_000 },
    )
    expect(valid).toBeGreaterThan(500)
  })
})

test('the examples of the guide are what they say', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/guide/usage-objects.md'), 'utf8')
  const examples = [...page.matchAll(/```json\n([^`]*)```\n\n```json\n([^`]*)```/g)]
  expect(examples.length).toBe(Object.keys(SHAPES).length)
  for (const [, usage, becomes] of examples) expect(toPools(JSON.parse(usage!))).toEqual(JSON.parse(becomes!))
  expect(page.match(/```json/g)?.length).toBe(2 * examples.length)
})
