import type { Readable } from 'node:stream'
import type { z } from 'zod'
import type { Caller } from '../auth/caller.ts'
import type { Access, Tenancy } from '../auth/scope.ts'
import type { Context } from '../context.ts'
import type { ProblemCode } from '../problem.ts'

/** What an endpoint sends back: a JSON value, a text, bytes, or a stream that goes on until somebody ends it. */
export interface Answer {
  status: number
  json?: unknown
  text?: string
  body?: Buffer
  stream?: Readable
  headers?: Record<string, string>
}

/** What `handle` gets: input that fits the schemas, and who calls, unless the endpoint needs no key. */
export type Call<Params, Query, Body, Auth extends Access = Access> = Input<Params, Query, Body> &
  (Auth extends 'none' ? object : { caller: Caller })

interface Input<Params, Query, Body> {
  params: Params
  query: Query
  body: Body
  /** For logs: it goes with what the request brings. */
  requestId: string
  /** The client has gone, and nobody hears the answer. */
  isLeft: () => boolean
  /** The endpoints of this server. */
  endpoints: HttpHandler[]
  /** What the caller calls this server, with the port if it is not the scheme's own. */
  host: string
  /** The header of that lower-case name. */
  header: (name: string) => string | undefined
}

/** A line of NDJSON, or a body, that is not JSON. Kept in its place, so that it costs only itself. */
export class InvalidJson {
  readonly detail: string
  constructor(detail: string) {
    this.detail = detail
  }
}

/** One endpoint: what it answers to, who may call it, the shapes of its input, and one function. */
export interface HttpHandler<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Auth extends Access = Access,
> {
  kind: 'http'
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Like `/api/usage/:tenant`. */
  path: string
  auth: Auth
  /** Default: all. */
  tenancy?: Tenancy
  /**
   * Its cost grows with a range or with history: `lib/store/report_pool.ts` gives it its turn, and `ctx.database` is
   * then the reports' own pool.
   */
  isReport?: true
  /** One line for the API's description. */
  summary: string
  /** What it answers when it works, by status; nothing: a page or a file, which is not part of the API. */
  answers: Record<number, z.ZodType>
  /** The problems of its own; those that follow from its input and its access are known. */
  problems?: ProblemCode[]
  params?: Params
  query?: Query
  /** Without a schema, no body is read. */
  body?: Body
  /** The body for the API's description, where `body` leaves the check to the handler. */
  documentedBody?: z.ZodType
  /** Largest body in bytes; default 64 KiB. */
  maxBodyBytes?: number
  /**
   * Takes batches of so many events too: as an array, or as `application/x-ndjson`, which becomes an array with a
   * value, or InvalidJson, per line.
   */
  maxEvents?: number
  handle(ctx: Context, call: Call<z.output<Params>, z.output<Query>, z.output<Body>, Auth>): Promise<Answer> | Answer
}

/** Declares an endpoint; a handler file's default export. */
export const handler = <P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends Access>(
  endpoint: Omit<HttpHandler<P, Q, B, A>, 'kind'>,
): HttpHandler<P, Q, B, A> => ({ kind: 'http', ...endpoint })

/** A JSON answer. */
export const json = (status: number, value: unknown, headers?: Record<string, string>): Answer => ({
  status,
  json: value,
  ...(headers && { headers }),
})
