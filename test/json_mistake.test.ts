import { describe, expect, test } from 'vitest'
import { findJsonMistake, placeOf } from '../lib/http/json_mistake.ts'
import { createTestServer } from './_context.ts'

const event = (tenant: string) => ({ tenant, feature: 'x', tokens: 1 })

describe('a body that is not JSON', () => {
  test('gets an error that says where it is wrong, and what was expected', async () => {
    const { post } = await createTestServer()
    for (const [text, detail] of [
      ['', 'the body is empty; send JSON'],
      ['{"tenant":', 'at column 11: it ends too early, expected a value'],
      ['{"tenant": acme}', 'at column 12: expected a value'],
      ["{'tenant': 1}", 'at column 2: expected a name in double quotes or }'],
      ['{\n  "tenant": "x",\n}', 'at line 3, column 1: expected a name in double quotes'],
      ['{"a" 1}', 'at column 6: expected a colon'],
      ['{"a":1 "b":2}', 'at column 8: expected a comma or a closing bracket'],
      ['[1,]', 'at column 4: expected a value'],
      [
        '{"a":"x\ny"}',
        'at line 1, column 6: a string has no end, or a line break, control character or wrong escape in it',
      ],
      ['{} {}', 'at column 4: expected nothing more'],
      ['[01]', 'at column 3: expected a comma or a closing bracket'],
      ['   ', 'at column 4: it ends too early, expected a value'],
    ] as const) {
      const { body } = await post('/api/tenants', text)
      const wanted = text === '' ? detail : `the body is not valid JSON ${detail}`
      expect([text, body.code, body.detail]).toEqual([text, 'invalid_json', wanted])
    }
  })

  test('gets one for a line of NDJSON too, and far into a long batch', async () => {
    const { post } = await createTestServer()
    const lines = await post('/api/events', `${JSON.stringify(event('acme-corp'))}\n{"tenant":x}\n`, {
      'content-type': 'application/x-ndjson',
    })
    expect(lines.body.results[1].problem.detail).toBe('is not valid JSON at column 11: expected a value')
    const good = Array.from({ length: 5_000 }, () => JSON.stringify(event('acme-corp')))
    const at = (text: string) => good.with(4_000, text).join(',\n')
    for (const [text, column, reason] of [
      ['{"tenant":x}', 11, 'expected a value'],
      ['', 1, 'expected a value'],
      ['{"tenant":"x"}}', 15, 'expected a comma or a closing bracket'],
    ] as const) {
      const { body } = await post('/api/events', `[${at(text)}]`)
      expect(body.detail).toBe(`the body is not valid JSON at line 4001, column ${column}: ${reason}`)
    }
    const { body } = await post('/api/events', `[${good.join(',\n')},\n]`)
    expect(body.detail).toBe('the body is not valid JSON at line 5001, column 1: expected a value')
  })

  test('is searched for the mistake whatever it contains, unless it is very long', () => {
    expect(findJsonMistake(`"${'a'.repeat(60_000)}`)?.at).toBe(0)
    expect(findJsonMistake(`"${'\\u0000'.repeat(10_000)}\\x"`)?.at).toBe(0)
    expect(findJsonMistake('['.repeat(60_000))?.at).toBe(60_000)
    expect(findJsonMistake('1'.repeat(60_000) + 'x')?.reason).toBe('expected nothing more')
    expect(findJsonMistake('x'.repeat(300_000))).toBe(undefined)
    expect(placeOf('a\nb', 1)).toBe('line 1, column 2')
  })

  test('is found wrong exactly when JSON.parse rejects it', () => {
    const pieces = ['{', '}', '[', ']', ',', ':', '"a"', '"', '1', '-', '0', '1e', 'true', 'nul', ' ', '\n', '"\\u12"']
    let seed = 7
    const below = (most: number) => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % most
    let wrong = 0
    for (let i = 0; i < 20_000; i++) {
      const text = Array.from({ length: 1 + below(7) }, () => pieces[below(pieces.length)]!).join('')
      let isJson = true
      try {
        JSON.parse(text)
      } catch {
        isJson = false
        wrong++
      }
      expect([text, findJsonMistake(text) === undefined]).toEqual([text, isJson])
    }
    expect(wrong).toBeGreaterThan(10_000)
  })
})
