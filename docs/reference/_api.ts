import { loadHandlers } from '../../cli/_handlers.ts'
import { endpointsOf } from '../../cli/_serving.ts'
import type { HttpHandler } from '../../lib/http/endpoint.ts'
import { TAGS } from '../../lib/http/tags.ts'
import type { ProblemCode } from '../../lib/problem.ts'
import { describeApi } from '../../lib/site/openapi.ts'
import { SCHEMA, exampleIn, fieldTable, formatJson, typeOf } from './_schema.ts'

type Json = Record<string, any>

/** Every endpoint, from the OpenAPI document that the server returns. */
export async function apiPage(): Promise<string> {
  const endpoints = endpointsOf(await loadHandlers([])).map(({ handler }) => handler)
  const api = describeApi(endpoints)
  const described = endpoints.filter(({ answers }) => Object.keys(answers).length > 0)
  const sections = Object.entries(TAGS).map(([title, about]) => {
    const own = described.filter(({ tag }) => tag === title)
    own.sort((a, b) => a.path.localeCompare(b.path, 'en') || order(a) - order(b))
    return `## ${title}\n\n${about}\n\n${own.map((endpoint) => section(endpoint, api)).join('\n\n')}`
  })
  return `# HTTP API

<!-- Written by \`npm run reference\` from the schemas that the server checks with. -->

Send a key as \`Authorization: Bearer fm_…\`. Bodies are JSON. Times are RFC 3339; \`tenant\` is a name or an id. To
page through a listing, pass \`next\` as \`after\` to get the next page; on the last page there is no \`next\`. Every
answer with status 400 or above is a [problem document](../problems.md). \`GET /docs\` shows the API in a browser,
to read and to try; \`GET /api/openapi.json\` describes it in OpenAPI 3.1, to generate clients from.

Each endpoint lists its own problems. These follow from what it takes:

- it needs a key: ${links(['unauthorized', 'forbidden', 'rate_limited', 'unavailable'])}
- it takes a body: ${links(['invalid_json', 'invalid_request', 'body_too_large', 'unsupported_media_type'])}
- it takes parameters: ${links(['invalid_request'])}

${sections.join('\n\n')}
${schemas(api)}`
}

const links = (codes: ProblemCode[]): string => codes.map((code) => `[\`${code}\`](../problems.md#${code})`).join(', ')

const order = ({ method }: HttpHandler): number => ['GET', 'POST', 'PATCH', 'DELETE'].indexOf(method)

const ACCESS = {
  none: 'Needs no key.',
  ingest: 'Needs the scope `ingest`.',
  read: 'Needs the scope `read`.',
  admin: 'Needs the scope `admin`.',
}

function section(endpoint: HttpHandler, api: Json): string {
  const { method, path, auth, tenancy = 'all', maxEvents } = endpoint
  const operation = api.paths[path.replaceAll(/:(\w+)/g, '{$1}')][method.toLowerCase()] as Json
  const isUnbound = auth !== 'none' && tenancy === 'all'
  const access = `${ACCESS[auth]}${isUnbound ? ' Keys bound to a tenant are refused.' : ''}`
  const parts = [`### ${method} ${path}`, `\`${operation.operationId}\`: ${operation.summary}. ${access}`]
  const parameters = (operation.parameters ?? []) as Json[]
  if (parameters.length > 0) parts.push(parameterTable(parameters))
  const body = operation.requestBody?.content['application/json'] as Json | undefined
  if (body) {
    const also = maxEvents === undefined ? '' : `, or up to ${maxEvents.toLocaleString('en-US')} as an array or NDJSON`
    parts.push(`**Body**${also}`, ...content(body, api))
  }
  for (const status of Object.keys(endpoint.answers)) {
    const { description, content: types } = operation.responses[status] as Json
    const [media] = Object.values((types ?? {}) as Json) as Json[]
    parts.push(`**${status}** ${description}`, ...(media ? content(media, api) : []))
  }
  if (endpoint.problems) parts.push(`**Problems** ${links(endpoint.problems)}`)
  return parts.filter(Boolean).join('\n\n')
}

const content = (media: Json, api: Json): string[] => {
  const example = exampleIn(media, api)
  return [fieldTable(media.schema as Json), example === undefined ? '' : exampleBlock(example)]
}

const exampleBlock = (example: unknown): string =>
  typeof example === 'string' ? `\`\`\`\n${example.trim()}\n\`\`\`` : `\`\`\`json\n${formatJson(example)}\n\`\`\``

function parameterTable(parameters: Json[]): string {
  const properties = Object.fromEntries(
    parameters.map(({ name, schema, description }) => [name, { ...schema, ...(description && { description }) }]),
  )
  const required = parameters.filter((parameter) => parameter.required).map(({ name }) => name as string)
  return fieldTable({ type: 'object', properties, required })
}

/** The named schemas, after those that use them. */
function schemas(api: Json): string {
  const named = Object.entries(api.components.schemas as Record<string, Json>)
  const sections = named.map(([name, schema]) => `### ${SCHEMA} ${name}\n\n${fieldTable(schema) || typeOf(schema)}`)
  return `\n## Schemas\n\n${sections.join('\n\n')}\n`
}
