import { z } from 'zod'
import type { HttpHandler } from '../http/endpoint.ts'
import { PROBLEMS, ProblemDocument, type ProblemCode } from '../problem.ts'

type Json = Record<string, unknown>

/**
 * The OpenAPI 3.1 document of these endpoints, made from the schemas they check with. What answers with a page is not
 * in it.
 */
export function describeApi(endpoints: HttpHandler[]): Json {
  const paths: Record<string, Json> = {}
  for (const endpoint of endpoints) {
    if (Object.keys(endpoint.answers).length === 0) continue
    const path = endpoint.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(endpoint) }
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'FlagMeter',
      version: '1',
      description: 'Meters AI tokens per tenant and feature, exactly once, and holds them against quotas.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ key: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'A key, like fm_…' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: '__Host-flagmeter',
          description: 'Of a browser that is signed in (POST /api/session); on loopback it is called flagmeter.',
        },
      },
      schemas: { Problem: schemaOf(ProblemDocument, 'output') },
    },
  }
}

function operation(endpoint: HttpHandler): Json {
  const { auth, summary, params, query, answers } = endpoint
  const body = endpoint.documentedBody ?? endpoint.body
  const parameters = [...parametersOf('path', params), ...parametersOf('query', query)]
  return {
    operationId: operationId(endpoint),
    summary,
    description: auth === 'none' ? 'Needs no key.' : `Needs a key with the scope ${auth}.`,
    ...(auth === 'none' && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: true,
        content: {
          'application/json': { schema: schemaOf(body, 'input') },
          ...(endpoint.maxEvents !== undefined && {
            'application/x-ndjson': { schema: { type: 'string', description: 'One per line.' } },
          }),
        },
      },
    }),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, schema]) => [status, answer(schema)])),
      ...problems(endpoint),
    },
  }
}

/** Like `postApiWebhooksWebhookTest`: from method and path, so that it is unique. */
const operationId = ({ method, path }: HttpHandler): string =>
  method.toLowerCase() + path.replaceAll(/[/:_-]+(\w)/g, (_, letter: string) => letter.toUpperCase())

function parametersOf(where: 'path' | 'query', schema: z.ZodType | undefined): Json[] {
  if (!schema) return []
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as {
    properties?: Record<string, Json>
    required?: string[]
  }
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }))
}

function answer(schema: z.ZodType): Json {
  if (schema instanceof z.ZodUndefined) return { description: schema.description ?? 'It worked; there is no body.' }
  const contentType = schema.meta()?.contentType ?? (schema instanceof z.ZodString ? 'text/plain' : 'application/json')
  return {
    description: schema.description ?? 'It worked.',
    content: { [contentType as string]: { schema: schemaOf(schema, 'output') } },
  }
}

/** The problems of an endpoint: its own, and those that follow from what it takes and who may call it. */
export function problemsOf({ auth, params, query, body, problems: own = [] }: HttpHandler): ProblemCode[] {
  const codes: ProblemCode[] = [...own]
  if (query || body || isChecked(params)) codes.push('invalid_request')
  if (body) codes.push('invalid_json', 'body_too_large', 'unsupported_media_type')
  if (auth !== 'none') codes.push('unauthorized', 'forbidden', 'rate_limited', 'unavailable')
  return codes
}

/** Whether there is more to a path parameter than being there. */
const isChecked = (params: z.ZodType | undefined): boolean =>
  parametersOf('path', params).some(({ schema }) => Object.keys(schema as Json).length > 1)

function problems(endpoint: HttpHandler): Json {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of problemsOf(endpoint))
    byStatus.set(PROBLEMS[code][0], [...(byStatus.get(PROBLEMS[code][0]) ?? []), code])
  return Object.fromEntries(
    [...byStatus]
      .filter(([status]) => !(status in endpoint.answers))
      .map(([status, codes]) => [
        status,
        {
          description: codes.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join('. '),
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        },
      ]),
  )
}

/** JSON Schema 2020-12, the dialect of OpenAPI 3.1. What JSON Schema cannot say stays unsaid. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _schema, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any', target: 'draft-2020-12' })
  // zod leaves out the examples of an input that it transforms; ours are of what is sent.
  const examples = schema.meta()?.examples
  return { ...json, ...(examples !== undefined && { examples }) }
}
