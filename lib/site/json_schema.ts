import { z } from 'zod'

export type Json = Record<string, unknown>

/** Writes zod schemas as JSON Schema 2020-12, the dialect of OpenAPI 3.1. Those with an id become named components. */
export function openSchemas() {
  const named: Record<string, Json> = {}
  return {
    of: (schema: z.ZodType, io: 'input' | 'output'): Json => {
      const written = z.toJSONSchema(schema, { io, unrepresentable: 'any', override: simplify(io) })
      const moved = JSON.stringify(written).replaceAll('"#/$defs/', '"#/components/schemas/')
      const { $schema: _schema, $defs = {}, ...json } = JSON.parse(moved) as Json & { $defs?: Record<string, Json> }
      for (const [id, definition] of Object.entries($defs)) {
        if (named[id] && JSON.stringify(named[id]) !== JSON.stringify(definition))
          throw new Error(`two schemas are called ${id}`)
        named[id] = definition
      }
      return json
    },
    named: (): Json => Object.fromEntries(Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/**
 * Examples are kept beside the schema, `format` makes patterns redundant, and answers may gain fields and exceed limits
 * in later releases.
 */
const simplify =
  (io: 'input' | 'output') =>
  ({ jsonSchema: json }: { jsonSchema: Json }): void => {
    delete json.examples
    delete json.id
    delete json.contentType
    if (json.format !== undefined) delete json.pattern
    if (io === 'input') return
    if (json.additionalProperties === false) delete json.additionalProperties
    if (json.minimum === Number.MIN_SAFE_INTEGER) delete json.minimum
    if (json.maximum === Number.MAX_SAFE_INTEGER) delete json.maximum
  }
