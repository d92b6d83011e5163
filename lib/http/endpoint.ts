import type { z } from 'zod'
import type { Caller } from '../auth/caller.ts'
import type { Access, Tenancy } from '../auth/scope.ts'
import type { Context } from '../context.ts'
import type { ProblemCode } from '../problem.ts'
import type { Answer, AnswerOf, Answers, JsonAnswer, Undocumented } from './answer_types.ts'
import type { Tag } from './tags.ts'

/** What `handle` gets: input that fits the schemas, and who calls, unless the endpoint needs no key. */
export type Call<Params, Query, Body, Auth extends Access = Access> = Input<Params, Query, Body> &
  (Auth extends 'none' ? object : { caller: Caller })

interface Input<Params, Query, Body> {
  params: Params
  query: Query
  body: Body
  /** For logs: it goes with what the request brings. */
  requestId: string
  /** The client has gone, and nobody receives the answer. */
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
  /** A key that is bound to a user may call: the handler keeps it to that user. Default: no such key may. */
  isForUsers?: true
  /**
   * Its cost grows with a range or with history: `lib/store/report_pool.ts` gives it its turn, and `ctx.database` is
   * then the reports' own pool. A function says it of a checked query.
   */
  isReport?: true | ((query: never) => boolean)
  /** Its name in the API's description, a verb and its object: `createQuota`. Pages and files have none. */
  operationId?: string
  /** Under which heading the API's description has it. */
  tag?: Tag
  /** One line for the API's description. */
  summary: string
  /**
   * What it answers when it succeeds, by status. Each schema's description says what happened. Empty for a page or a
   * file, which is not part of the API.
   */
  answers: Answers
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
  /** Reads the header Idempotency-Key, for the API's description. */
  takesIdempotencyKey?: true
  /**
   * Takes batches of so many events too: as an array, or as `application/x-ndjson`, which becomes an array with a
   * value, or InvalidJson, per line.
   */
  maxEvents?: number
  handle(ctx: Context, call: Call<z.output<Params>, z.output<Query>, z.output<Body>, Auth>): Promise<Answer> | Answer
}

type Declared<
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  A extends Access,
  Documented extends Answers,
  Given extends AnswerOf<Documented>,
> = Omit<HttpHandler<P, Q, B, A>, 'kind' | 'answers' | 'handle'> & {
  answers: Documented
  handle(ctx: Context, call: Call<z.output<P>, z.output<Q>, z.output<B>, A>): Promise<Given> | Given
} & (keyof Documented extends never ? unknown : { operationId: string; tag: Tag }) &
  Undocumented<Given, Documented>

/**
 * Declares an endpoint; a handler file's default export. `handle` must return what `answers` describes: no other status
 * or field compiles.
 */
export const handler = <
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  A extends Access,
  Documented extends Answers,
  const Given extends AnswerOf<Documented>,
>(
  endpoint: Declared<P, Q, B, A, Documented, Given>,
): HttpHandler<P, Q, B, A> => ({ kind: 'http', ...endpoint })

/** A JSON answer. */
export const json = <Status extends number, const Value>(
  status: Status,
  value: Value,
  headers?: Record<string, string>,
): Status extends number ? JsonAnswer<Status, Value> : never =>
  ({ status, json: value, ...(headers && { headers }) }) as never
