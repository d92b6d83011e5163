import { type Dispatcher, Pool } from 'undici'
import { CommandError, Exit } from '../_command.ts'
import type { Server } from '../_http.ts'

/** A request that gets no answer for this long has timed out, and so has one that waits this long for a connection. */
export const TIMEOUT_MS = 10_000

/** An event, ready to send. */
export interface LoadEvent {
  json: string
  tokens: number
}

/** The answer. `status` 0: there was none, and `error` says why; the events may have been recorded or not. */
export interface Answer {
  status: number
  body: string
  error?: string
  retryAfter?: string
}

export interface LoadClient {
  /**
   * Sends events in one request and calls `done` once. A callback, because a promise and a stream would cost a tenth of
   * the rate.
   */
  send: (events: LoadEvent[], done: (answer: Answer) => void) => void
  /** @throws CommandError if nothing answers at all */
  expectServer: () => Promise<void>
  /** Aborts all open requests. */
  close: () => Promise<void>
}

/** Opens up to this many connections to `server`, each with one request at a time. */
export function openLoadClient({ url, key }: Server, connections: number): LoadClient {
  const { origin, pathname } = new URL(url)
  const prefix = pathname.replace(/\/$/, '')
  const pool = new Pool(origin, {
    connections,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    connect: { timeout: TIMEOUT_MS },
  })
  const headers = { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) }
  const post = { method: 'POST', path: `${prefix}/api/events`, headers } as const
  return {
    send: (events, done) => void pool.dispatch({ ...post, body: bodyOf(events) }, new Exchange(done)),
    expectServer: async () => {
      const get = { method: 'GET', path: `${prefix}/api/health/live` } as const
      const { status, error } = await new Promise<Answer>((resolve) => void pool.dispatch(get, new Exchange(resolve)))
      if (status > 0) return // What it says does not matter here: the events will tell.
      throw new CommandError(
        `no FlagMeter answers at ${url} (${error}); start one with \`flagmeter up\``,
        Exit.unavailable,
      )
    },
    close: () => pool.destroy(),
  }
}

const bodyOf = (events: LoadEvent[]): string =>
  events.length === 1 ? events[0]!.json : `[${events.map(({ json }) => json).join(',')}]`

/** Reads one answer. */
class Exchange implements Dispatcher.DispatchHandler {
  private readonly done: (answer: Answer) => void
  private readonly chunks: Buffer[] = []
  private status = 0
  private retryAfter: string | undefined
  constructor(done: (answer: Answer) => void) {
    this.done = done
  }
  onRequestStart(): void {}
  onResponseStart(_: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    this.status = status
    if (typeof headers['retry-after'] === 'string') this.retryAfter = headers['retry-after']
  }
  onResponseData(_: unknown, chunk: Buffer): void {
    if (!isAllAccepted(this.status)) this.chunks.push(chunk)
  }
  onResponseEnd(): void {
    const { status, retryAfter } = this
    const body = this.chunks.length === 0 ? '' : Buffer.concat(this.chunks).toString()
    this.done(retryAfter === undefined ? { status, body } : { status, body, retryAfter })
  }
  onResponseError(_: unknown, error: Error & { code?: string }): void {
    this.done({ status: 0, body: '', error: ERRORS[error.code ?? ''] ?? error.code ?? error.message })
  }
}

/** The report's words for undici's codes; others, like ECONNREFUSED, stay as they are. */
const ERRORS: Record<string, string> = {
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  UND_ERR_SOCKET: 'connection_lost',
  ECONNRESET: 'connection_lost',
  UND_ERR_DESTROYED: 'unanswered',
  UND_ERR_ABORTED: 'unanswered',
}

/** Why an event was not accepted. */
export interface Refusal {
  /** The problem's code, `http_502` when there is none, or what broke the connection. */
  code: string
  detail: string
  /** It may be accepted later, or may have been accepted already. */
  passing: boolean
}

const isAllAccepted = (status: number): boolean => status >= 200 && status < 300 && status !== 207

/** The outcome of each of `count` events, undefined if accepted; just undefined if all were. */
export function judge(answer: Answer, count: number): (Refusal | undefined)[] | undefined {
  const { status, error, body } = answer
  if (isAllAccepted(status)) return undefined
  if (status === 0)
    return Array.from({ length: count }, () => ({ code: error ?? 'unanswered', detail: '', passing: true }))
  const parsed = parse(body)
  if (status === 207 && Array.isArray(parsed.results) && parsed.results.length === count) {
    return parsed.results.map((result) => (result.problem ? refusal(result.problem, status) : undefined))
  }
  return Array.from({ length: count }, () => refusal(parsed, status))
}

interface ProblemBody {
  status?: unknown
  code?: unknown
  detail?: unknown
  title?: unknown
}

function refusal(problem: ProblemBody, httpStatus: number): Refusal {
  const status = typeof problem.status === 'number' ? problem.status : httpStatus
  const detail = problem.detail ?? problem.title
  return {
    code: typeof problem.code === 'string' ? problem.code : `http_${status}`,
    detail: typeof detail === 'string' ? detail : '',
    passing: status === 408 || status === 429 || status >= 500,
  }
}

function parse(body: string): ProblemBody & { results?: { problem?: ProblemBody }[] } {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {} // Not ours, perhaps a proxy's page. Its status is enough.
  }
}
