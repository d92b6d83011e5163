import type { Readable } from 'node:stream'
import type { z } from 'zod'

/** What the adapter sends: a JSON value, a text, bytes, or a stream that runs until somebody ends it. */
export interface Answer {
  status: number
  json?: unknown
  text?: string
  body?: Buffer
  stream?: Readable
  headers?: Record<string, string>
}

/** What an endpoint may answer, by status. */
export type Answers = Record<number, z.ZodType>

interface Head<Status> {
  status: Status
  headers?: Record<string, string>
}

/** An answer whose body is this value, as JSON. */
export interface JsonAnswer<Status, Value> extends Head<Status> {
  json: Value
}

/** An answer whose body was written as JSON before: a listing, or a row that PostgreSQL wrote. */
export interface TextAnswer<Status, Value> extends Head<Status> {
  text: JsonText<Value>
}

declare const VALUE: unique symbol

/** The JSON of a value of this type. */
export type JsonText<Value> = string & { readonly [VALUE]: Value }

/** Writes a value as JSON that knows its type. */
export const writeJson = <const Value>(value: Value): JsonText<Value> => JSON.stringify(value) as JsonText<Value>

/** What `handle` may return: what the schema of each documented status describes. With none, a page or a file. */
export type AnswerOf<Documented extends Answers> = keyof Documented extends never
  ? Answer
  : { [Status in keyof Documented & number]: Answered<Status, z.output<Documented[Status]>> }[keyof Documented & number]

type Raw<Status> = Head<Status> & ({ text: string } | { body: Buffer } | { stream: Readable })

type Answered<Status, Value> = [Value] extends [undefined]
  ? Head<Status>
  : [Value] extends [string]
    ? Raw<Status>
    : JsonAnswer<Status, ReadOnly<Value>> | TextAnswer<Status, ReadOnly<Value>> | (Head<Status> & { body: Buffer })

/** So that literal values, which are read-only, fit. */
type ReadOnly<Value> = unknown extends Value
  ? Value
  : Value extends object
    ? { readonly [Key in keyof Value]: ReadOnly<Value[Key]> }
    : Value

/** Refuses a handler that returns fields which its answers have not, and names them. */
export type Undocumented<Given, Documented extends Answers> = keyof Documented extends never
  ? unknown
  : [ExtraOf<Given, Documented>] extends [never]
    ? unknown
    : { handle: { 'returns undocumented fields': ExtraOf<Given, Documented> } }

type ExtraOf<Given, Documented extends Answers> = Given extends { status: infer Status extends keyof Documented }
  ? Extra<
      Given extends { json: infer Value } | { text: JsonText<infer Value> } ? Value : never,
      z.output<Documented[Status]>
    >
  : never

/** The names of fields, at any depth, that no variant of the description has. */
type Extra<Value, Described> = unknown extends Described
  ? never
  : Value extends readonly (infer Item)[]
    ? Extra<Item, Described extends readonly (infer Other)[] ? Other : never>
    : Value extends object
      ? Exclude<keyof Value, KeyOf<Described>> | FieldExtra<Value, Described>
      : never

type FieldExtra<Value, Described> = {
  [Key in keyof Value & KeyOf<Described>]-?: Extra<NonNullable<Value[Key]>, NonNullable<FieldOf<Described, Key>>>
}[keyof Value & KeyOf<Described>]

type KeyOf<Variants> = Variants extends object ? keyof Variants : never
type FieldOf<Variants, Key> = Variants extends object ? (Key extends keyof Variants ? Variants[Key] : never) : never
