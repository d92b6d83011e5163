import type { HttpHandler } from '../http/endpoint.ts'
import { TAGS } from '../http/tags.ts'
import { ProblemDocument } from '../problem.ts'
import { type Json, openSchemas } from './json_schema.ts'
import { operation } from './operation.ts'

const ABOUT = `Meters AI tokens per tenant and feature, exactly once, and holds them against quotas.

Send a key as \`Authorization: Bearer fm_…\`. A key that is bound to a tenant reaches that tenant alone.
Every error is a problem document (RFC 9457) with a stable \`code\`. Answers may get new fields at any time.`

/**
 * The OpenAPI 3.1 document of these endpoints, made from the schemas they check with. What answers with a page is not
 * in it.
 */
export function describeApi(endpoints: HttpHandler[]): Json {
  const schemas = openSchemas()
  const responses: Record<string, Json> = {}
  const paths: Record<string, Json> = {}
  for (const endpoint of endpoints) {
    if (Object.keys(endpoint.answers).length === 0) continue
    const path = endpoint.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: operation(endpoint, schemas.of, responses) }
  }
  schemas.of(ProblemDocument, 'output')
  return {
    openapi: '3.1.1',
    info: {
      title: 'FlagMeter',
      version: '1',
      description: ABOUT,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This server' }],
    security: [{ key: [] }, { session: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
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
      responses,
      schemas: schemas.named(),
    },
  }
}
