type Json = Record<string, any>

/** How the heading of a schema begins, so that it differs from every section's. */
export const SCHEMA = 'Schema'

/** A table of the fields of an object; empty if the schema is of something else without fields. */
export function fieldTable(schema: Json): string {
  const rows = rowsOf(schema, '')
  if (rows.length === 0) return schema.type === 'object' || schema.type === undefined ? linkTo(schema) : ''
  return `| field | type | |\n|---|---|---|\n${rows.join('\n')}`
}

/** A link if the whole schema is a named one. */
const linkTo = (schema: Json): string => (schema.$ref ? typeOf(schema) : alternatives(schema).map(typeOf).join(' or '))

function rowsOf(schema: Json, prefix: string): string[] {
  const variants = alternatives(schema)
  if (variants.length > 0) {
    const seen = new Set<string>()
    return variants
      .flatMap((variant) => (variant.$ref || variant.type === 'array' ? [] : rowsOf(variant, prefix)))
      .filter((row) => !seen.has(row) && seen.add(row))
  }
  const required = new Set<string>(schema.required)
  return Object.entries((schema.properties ?? {}) as Record<string, Json>).flatMap(([name, property]) => {
    const field = prefix + name
    const said = (property.description as string | undefined)?.replace(/\.$/, '')
    const notes = [said, required.has(name) ? '' : defaultOf(property)].filter(Boolean).join('; ')
    const inner = property.type === 'array' ? (property.items as Json) : property
    const nested = inner.$ref ? [] : rowsOf(inner, property.type === 'array' ? `${field}[].` : `${field}.`)
    return [`| \`${field}\` | ${typeOf(property)} | ${notes} |`, ...nested]
  })
}

const alternatives = (schema: Json): Json[] => (schema.anyOf ?? schema.oneOf ?? []) as Json[]

const defaultOf = ({ default: value }: Json): string =>
  value === undefined ? 'optional' : `default \`${JSON.stringify(value)}\``

/** A type in few words, like `integer, 1 to 1,000`. */
export function typeOf(schema: Json): string {
  if (schema.$ref) {
    const name = (schema.$ref as string).split('/').at(-1)!
    return `[${name}](#${SCHEMA.toLowerCase()}-${name.toLowerCase()})`
  }
  if (schema.enum) return values(schema.enum as unknown[])
  if (schema.const !== undefined) return `\`${schema.const}\``
  const variants = alternatives(schema)
  if (variants.length > 0) return variants.map(typeOf).join(' or ')
  if (schema.type === 'array') return `array of ${typeOf((schema.items ?? {}) as Json)}${range(schema, 'Items')}`
  if (schema.format === 'date-time') return 'time'
  if (schema.type === 'string') return `${schema.format ?? 'string'}${range(schema, 'Length')}`
  return `${[schema.type ?? 'any'].flat().join(' or ')}${bounds(schema.minimum, schema.maximum)}`
}

const MANY = 10

const values = (all: unknown[]): string => {
  const shown = all.slice(0, all.length > MANY ? 3 : MANY).map((value) => `\`${String(value)}\``)
  return shown.join(', ') + (all.length > MANY ? ` … (${all.length} values)` : '')
}

const range = (schema: Json, of: 'Items' | 'Length'): string => {
  const max = schema[`max${of}`] as number | undefined
  return max === undefined ? '' : `, at most ${count(max)}${of === 'Length' ? ' characters' : ''}`
}

const bounds = (min?: number, max?: number): string => {
  const isBounded = (limit: number | undefined) => limit !== undefined && Math.abs(limit) < Number.MAX_SAFE_INTEGER
  if (isBounded(min) && isBounded(max)) return `, ${count(min!)} to ${count(max!)}`
  return isBounded(max) ? `, at most ${count(max!)}` : isBounded(min) ? `, at least ${count(min!)}` : ''
}

const count = (value: number): string => value.toLocaleString('en-US')

/** The first example of a body or an answer, next to its schema or in it. */
export function exampleIn(media: Json, api: Json): unknown {
  if (media.example !== undefined) return media.example
  const [named] = Object.values((media.examples ?? {}) as Record<string, Json>)
  if (named) return named.value
  const schema = resolve(media.schema as Json, api)
  return (schema.examples as unknown[] | undefined)?.[0]
}

const resolve = (schema: Json, api: Json): Json =>
  schema.$ref ? (api.components.schemas[(schema.$ref as string).split('/').at(-1)!] as Json) : schema

const LINE_WIDTH = 100

/** JSON on as few lines as fit. */
export function formatJson(value: unknown, indent = ''): string {
  const line = JSON.stringify(value, null, 1).replaceAll(/\n\s*/g, ' ')
  if (line.length + indent.length <= LINE_WIDTH || typeof value !== 'object' || value === null) return line
  const inner = `${indent}  `
  const rows = Array.isArray(value)
    ? value.map((item) => inner + formatJson(item, inner))
    : Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${formatJson(item, inner)}`)
  const [open, close] = Array.isArray(value) ? '[]' : '{}'
  return `${open}\n${rows.join(',\n')}\n${indent}${close}`
}
