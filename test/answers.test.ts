import { expect, test } from 'vitest'
import { z } from 'zod'
import { writeJson } from '../lib/http/answer_types.ts'
import { handler, json } from '../lib/http/endpoint.ts'

/** tsc checks this file: an `@ts-expect-error` fails if the next line compiles. */
const Quota = z.object({
  id: z.string(),
  hard: z.boolean(),
  period: z.enum(['day', 'month']),
  feature: z.string().optional(),
  left: z.array(z.object({ tokens: z.int() })),
})
const Refusal = z.object({ reason: z.string() })
const endpoint = {
  method: 'GET',
  path: '/quota',
  auth: 'none',
  operationId: 'getQuota',
  tag: 'Quotas',
  summary: 'A quota',
} as const
const answers = { 200: Quota, 409: Refusal }
const quota = { id: 'q', hard: true, period: 'day', left: [{ tokens: 1 }] } as const
const { hard: _hard, ...soft } = quota
const wide = { ...quota, secret: 'x' }
const deep = [{ tokens: 1, secret: 'x' }]
const late = { reason: 'x', at: 1 }

test('a handler returns what its answers describe, and nothing else compiles', () => {
  const declared = [
    handler({ ...endpoint, answers, handle: () => json(200, quota) }),
    handler({ ...endpoint, answers, handle: async () => json(200, { ...quota, feature: 'x' }) }),
    handler({ ...endpoint, answers, handle: () => ({ status: 200, text: writeJson(quota) }) }),
    handler({
      ...endpoint,
      answers,
      async handle(_ctx, { host }) {
        if (host === '') return json(409, { reason: 'no host' })
        return json(200, { id: host, hard: false, period: 'month', left: [] })
      },
    }),
    handler({ ...endpoint, answers: { 204: z.undefined() }, handle: () => ({ status: 204 }) }),

    // @ts-expect-error no answer has this status
    handler({ ...endpoint, answers, handle: () => json(201, quota) }),
    // @ts-expect-error another answer's document
    handler({ ...endpoint, answers, handle: () => json(409, quota) }),
    // @ts-expect-error a field is missing
    handler({ ...endpoint, answers, handle: async () => json(200, soft) }),
    // @ts-expect-error a field has the wrong type
    handler({ ...endpoint, answers, handle: () => json(200, { ...quota, hard: 'yes' }) }),
    // @ts-expect-error a value that is not in the enum
    handler({ ...endpoint, answers, handle: () => json(200, { ...quota, period: 'year' }) }),
    // @ts-expect-error an extra field
    handler({ ...endpoint, answers, handle: () => json(200, { ...quota, secret: 'x' }) }),
    // @ts-expect-error an extra field, in a value made elsewhere
    handler({ ...endpoint, answers, handle: async () => json(200, wide) }),
    // @ts-expect-error an extra field, deep inside
    handler({ ...endpoint, answers, handle: () => json(200, { ...quota, left: deep }) }),
    // @ts-expect-error an extra field in one of two answers
    handler({ ...endpoint, answers, handle: (_, { host }) => (host ? json(200, quota) : json(409, late)) }),
    // @ts-expect-error text with unknown content
    handler({ ...endpoint, answers, handle: () => ({ status: 200, text: JSON.stringify(quota) }) }),
    // @ts-expect-error text of something else
    handler({ ...endpoint, answers, handle: () => ({ status: 200, text: writeJson(soft) }) }),
    // @ts-expect-error text of something wider
    handler({ ...endpoint, answers, handle: () => ({ status: 200, text: writeJson(wide) }) }),
    // @ts-expect-error a body for an answer without one
    handler({ ...endpoint, answers: { 204: z.undefined() }, handle: () => json(204, quota) }),
    // @ts-expect-error an API endpoint has a name and a tag
    handler({ method: 'GET', path: '/', auth: 'none', summary: 'x', answers, handle: () => json(200, quota) }),
  ]
  expect(declared.every(({ kind }) => kind === 'http')).toBe(true)
})
