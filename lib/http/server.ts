import { randomBytes } from 'node:crypto'
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import findMyWay from 'find-my-way'
import type { z } from 'zod'
import { addressOf, authorize, bindTenant, hostOf, takeRequest } from './access.ts'
import { problemAnswer, send } from './answer.ts'
import { answerBrokenRequest } from './broken_request.ts'
import { report } from './request_log.ts'
import { takeBody } from './body.ts'
import { corsHeaders, preflight } from './cors.ts'
import { Hold, Room, SMALL } from './body_memory.ts'
import type { Caller } from '../auth/caller.ts'
import type { Context } from '../context.ts'
import { fieldErrors } from '../schema.ts'
import type { Answer } from './answer_types.ts'
import type { Call, HttpHandler } from './endpoint.ts'
import { Problem, invalidInput } from '../problem.ts'
import { withNearest } from '../tenants/nearest.ts'

/** How often it is looked whether the caller of an open stream still may. */
const RECHECK_MS = 5_000
/** Requests that may wait on one connection for the answers before theirs. */
const MAX_PIPELINED = 100
type Match = NonNullable<ReturnType<ReturnType<typeof findMyWay>['find']>>
/** Request ids: random for the process, then counted. */
const PROCESS = randomBytes(8).toString('hex')
let requests = 0
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/**
 * The HTTP adapter: everything that every endpoint needs, so that a handler sees only checked input.
 * Each request gets an id, at most one answer, one metric and one log line (of many that fail alike, ten).
 */
export function createHttpServer(ctx: Context, handlers: HttpHandler[]): Server {
  const router = findMyWay({ maxParamLength: 2400, ignoreTrailingSlash: true })
  for (const endpoint of handlers) router.on(endpoint.method, endpoint.path, () => {}, endpoint)
  const room = new Room(ctx.config.bodyMemoryBytes)
  /** Requests whose client waits for a 100 before it sends the body (RFC 9110, section 10.1.1). */
  const expectant = new WeakSet<IncomingMessage>()

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const startedAt = performance.now()
    const method = req.method === 'HEAD' ? 'GET' : (req.method as HttpHandler['method'])
    const match = router.find(method, req.url!)
    const endpoint = match?.store as HttpHandler | undefined
    const requestId = requestIdOf(req)
    const hold = new Hold(room)
    let reply: Answer
    let failure: unknown
    try {
      const allowed = req.method === 'OPTIONS' && ctx.config.corsOrigins.length > 0 ? allowedMethods(req.url!) : []
      if (allowed.length > 0) reply = preflight(req, allowed)
      else {
        if (!match || !endpoint) throw noRoute(req.url!)
        reply = await call(endpoint, match, req, res, requestId, hold)
      }
    } catch (error) {
      failure = error
      if (res.destroyed || (req.destroyed && !req.complete)) {
        hold.release()
        return // the client went away: nobody is left to answer
      }
      reply = problemAnswer(ctx, error, requestId, req.headers.accept)
    }
    if (reply.stream && endpoint) keepAllowed(endpoint, req, reply.stream)
    await turnEnd()
    const keepAlive = server.listening && !ctx.stopping.aborted
    const headers = { ...corsHeaders(req, ctx.config.corsOrigins), 'x-request-id': requestId }
    send(res, reply, headers, { keepAlive, isBodyComing: req.headers.expect === undefined || !expectant.has(req) })
    letGo(res, hold)
    const { status } = reply
    const done = { method: req.method!, route: endpoint?.path ?? 'none', status, requestId, error: failure }
    report(ctx, done, performance.now() - startedAt, hold.holder !== '')
  }

  async function call(
    endpoint: HttpHandler,
    match: Match,
    req: IncomingMessage,
    res: ServerResponse,
    requestId: string,
    hold: Hold,
  ): Promise<Answer> {
    let caller: Caller | undefined
    if (endpoint.auth !== 'none') {
      // An await costs a turn of the queue even when there is nothing to wait for.
      const found = authorize(ctx, endpoint, req)
      caller = found instanceof Promise ? await found : found
      const wait = takeRequest(ctx, caller)
      if (wait) await wait
    }
    hold.holder = caller?.tenantId ?? caller?.keyId ?? addressOf(req, ctx.config.trustedProxies)
    const start =
      req.headers.expect === undefined
        ? undefined
        : () => {
            if (expectant.delete(req)) res.writeContinue()
          }
    const given = {
      params: match.params as object,
      query: match.searchParams as object,
      body: endpoint.body && (await takeBody(req, endpoint, hold, start)),
    }
    if (caller && endpoint.tenancy === 'named') {
      const where = 'tenant' in match.params ? 'params' : endpoint.body ? 'body' : 'query'
      given[where] = bindTenant(caller, given[where]) as object
    }
    const input: Call<unknown, unknown, unknown> = {
      params: endpoint.params && check(endpoint.params, given.params),
      query: endpoint.query && check(endpoint.query, given.query),
      body: endpoint.body && check(endpoint.body, given.body),
      host: hostOf(req, ctx.config.trustedProxies),
      header: (name) => req.headers[name] as string | undefined,
      ...(caller && { caller }),
      requestId,
      isLeft: () => req.socket.destroyed,
      endpoints: handlers,
    }
    try {
      const { isReport } = endpoint
      const isAsked = typeof isReport === 'function' ? isReport(input.query as never) : isReport
      if (!isAsked || !caller) return await endpoint.handle(ctx, input)
      const gone = closing(res)
      return await ctx.reports.run(caller.keyId, gone, (database) => endpoint.handle({ ...ctx, database }, input))
    } catch (error) {
      throw caller ? await withNearest(ctx, caller, error) : error
    }
  }

  /** Frees what the request held. What its client does not read is held on, for as long as it may take to send one. */
  function letGo(res: ServerResponse, hold: Hold): void {
    const unread = res.writableLength
    hold.release()
    if (unread <= SMALL) return
    if (!hold.keep(unread)) {
      res.destroy()
      return
    }
    const timer = setTimeout(() => res.destroy(), ctx.config.requestTimeoutMs).unref()
    res.once('close', () => {
      clearTimeout(timer)
      hold.release()
    })
  }

  /** A key may be revoked, or a session end, while its stream is open; an unreachable database ends nothing. */
  function keepAllowed(endpoint: HttpHandler, req: IncomingMessage, stream: Readable): void {
    req.resume() // a body that nobody reads keeps the end of the connection from being noticed
    const look = async () => authorize(ctx, endpoint, req)
    const timer = setInterval(() => {
      look().catch((error: unknown) => {
        if (error instanceof Problem) stream.destroy()
      })
    }, RECHECK_MS).unref()
    stream.once('close', () => clearInterval(timer))
  }

  const allowedMethods = (url: string) => METHODS.filter((method) => router.find(method, url))

  function noRoute(url: string): Problem {
    const allowed = allowedMethods(url)
    if (allowed.length === 0) return new Problem('not_found')
    return new Problem(
      'method_not_allowed',
      { detail: `allowed: ${allowed.join(', ')}` },
      { allow: allowed.join(', ') },
    )
  }

  const queues = new WeakMap<Socket, { last: ServerResponse; waiting: number }>()

  /** Takes the requests of a connection one by one: their answers go out in order, and would pile up in memory. */
  function handle(req: IncomingMessage, res: ServerResponse): void {
    const queue = queues.get(req.socket)
    const before = queue?.last
    if (queue) queue.last = res
    else queues.set(req.socket, { last: res, waiting: 0 })
    if (!queue || before!.writableFinished) run(req, res)
    else if (++queue.waiting > MAX_PIPELINED) req.socket.destroy()
    else
      before!.once('close', () => {
        queue.waiting--
        if (!req.socket.destroyed) run(req, res)
      })
  }

  function run(req: IncomingMessage, res: ServerResponse): void {
    answer(req, res).catch((error: unknown) => {
      ctx.log.error({ err: error }, 'could not answer')
      res.destroy()
    })
  }

  const server = createServer(
    {
      requestTimeout: ctx.config.requestTimeoutMs,
      headersTimeout: ctx.config.requestTimeoutMs,
      connectionsCheckingInterval: 500,
      keepAliveTimeout: 75_000, // longer than the proxies in front keep theirs, or they send into a closing connection
      noDelay: true,
    },
    handle,
  )
  server.on('checkContinue', (req, res) => {
    expectant.add(req)
    handle(req, res)
  })
  server.maxConnections = ctx.config.maxConnections
  server.on('clientError', answerBrokenRequest)
  return server
}

/** Stops listening, lets requests in hand finish, and cuts off what has not finished after `timeoutMs`. */
export async function closeHttpServer(server: Server, timeoutMs: number): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
  await new Promise<void>((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
  clearTimeout(timer)
}

/** Aborts when the connection of an answer closes, or when the answer is written. */
function closing(res: ServerResponse): AbortSignal {
  const closed = new AbortController()
  if (res.destroyed) closed.abort()
  res.once('close', () => closed.abort())
  return closed.signal
}

let turn: Promise<void> | undefined

/** Resolves when what has arrived is read: an answer written between two reads wakes its client alone. */
function turnEnd(): Promise<void> {
  turn ??= new Promise((resolve) =>
    setImmediate(() => {
      turn = undefined
      resolve()
    }),
  )
  return turn
}

function check<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new Problem('invalid_request', invalidInput(fieldErrors(parsed.error)))
  return parsed.data
}

/** A caller's own request id, if it is harmless, else a new one. */
function requestIdOf(req: IncomingMessage): string {
  const given = req.headers['x-request-id']
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : `${PROCESS}-${++requests}`
}
