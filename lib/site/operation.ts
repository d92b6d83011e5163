import { z } from 'zod'
import type { HttpHandler } from '../http/endpoint.ts'
import { PROBLEMS, type ProblemCode, problemDocument } from '../problem.ts'
import { type Json, openSchemas } from './json_schema.ts'

type SchemaOf = ReturnType<typeof openSchemas>['of']

/** Describes an endpoint, and adds the problems that it answers to the responses that all share. */
export function operation(endpoint: HttpHandler, schemaOf: SchemaOf, responses: Record<string, Json>): Json {
  const { auth, summary, params, query, answers, operationId, tag } = endpoint
  const parameters = [...parametersOf('path', params, schemaOf), ...parametersOf('query', query, schemaOf)]
  if (endpoint.takesIdempotencyKey) parameters.push(IDEMPOTENCY_KEY)
  return {
    operationId,
    tags: [tag],
    summary,
    description: access(endpoint),
    ...(auth === 'none' && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...requestBody(endpoint, schemaOf),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, schema]) => [status, answer(schema, schemaOf)])),
      ...problems(endpoint, responses),
    },
  }
}

const IDEMPOTENCY_KEY: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Makes it safe to send the same request again.',
  schema: { type: 'string', minLength: 1, maxLength: 200 },
}

function access({ auth, tenancy = 'all' }: HttpHandler): string {
  if (auth === 'none') return 'Needs no key.'
  const needs = `Needs a key with the scope \`${auth}\``
  return tenancy === 'all' ? `${needs} that is bound to no tenant.` : `${needs}.`
}

function requestBody({ body: checked, documentedBody, maxEvents }: HttpHandler, schemaOf: SchemaOf): Json {
  const body = documentedBody ?? checked
  if (!body) return {}
  const [example] = examplesOf(body)
  const lines = {
    schema: { type: 'string', description: 'One per line.' },
    example: `${JSON.stringify(example)}\n`.repeat(2),
  }
  return {
    requestBody: {
      required: true,
      content: {
        'application/json': content(body, 'input', schemaOf),
        ...(maxEvents !== undefined && { 'application/x-ndjson': lines }),
      },
    },
  }
}

const examplesOf = (schema: z.ZodType): unknown[] => (schema.meta()?.examples as unknown[] | undefined) ?? []

function content(schema: z.ZodType, io: 'input' | 'output', schemaOf: SchemaOf): Json {
  const { description: _said, ...json } = schemaOf(schema, io)
  const [example, ...others] = examplesOf(schema)
  if (others.length === 0) return { schema: json, ...(example !== undefined && { example }) }
  return {
    schema: json,
    examples: Object.fromEntries(examplesOf(schema).map((value, i) => [`example${i + 1}`, { value }])),
  }
}

function parametersOf(where: 'path' | 'query', schema: z.ZodType | undefined, schemaOf: SchemaOf): Json[] {
  if (!schema) return []
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    ...(description !== undefined && { description }),
    schema: property,
  }))
}

function answer(schema: z.ZodType, schemaOf: SchemaOf): Json {
  const { description } = schema
  if (schema instanceof z.ZodUndefined) return { description }
  const contentType = schema.meta()?.contentType ?? (schema instanceof z.ZodString ? 'text/plain' : 'application/json')
  return { description, content: { [contentType as string]: content(schema, 'output', schemaOf) } }
}

/** The problems of an endpoint: its own, and those that follow from what it takes and who may call it. */
function problemsOf({ auth, params, query, body, problems: own = [] }: HttpHandler): ProblemCode[] {
  const codes: ProblemCode[] = [...own]
  if (query || body || isChecked(params)) codes.push('invalid_request')
  if (body) codes.push('invalid_json', 'body_too_large', 'unsupported_media_type')
  if (auth !== 'none') codes.push('unauthorized', 'forbidden', 'rate_limited', 'unavailable')
  return [...codes, 'headers_too_large']
}

/** Whether there is more to a path parameter than being there. */
const isChecked = (params: z.ZodType | undefined): boolean =>
  parametersOf('path', params, openSchemas().of).some(({ schema }) => Object.keys(schema as Json).length > 1)

/** The problems of an endpoint by status: each set of them is described once. */
function problems(endpoint: HttpHandler, responses: Record<string, Json>): Json {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of problemsOf(endpoint))
    byStatus.set(PROBLEMS[code][0], [...(byStatus.get(PROBLEMS[code][0]) ?? []), code])
  const described: Json = {}
  for (const [status, codes] of byStatus) {
    if (status in endpoint.answers) continue
    const id = codes.map(pascal).join('Or')
    responses[id] = {
      description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}.`).join(' '),
      content: {
        'application/problem+json': {
          schema: { $ref: '#/components/schemas/Problem' },
          examples: Object.fromEntries(codes.map((code) => [code, { value: problemDocument(code) }])),
        },
      },
    }
    described[status] = { $ref: `#/components/responses/${id}` }
  }
  return described
}

/** `tenant_not_found` is `TenantNotFound`. */
const pascal = (code: string): string => code.replaceAll(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
