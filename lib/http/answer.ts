import type { ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { discard } from './body.ts'
import type { Context } from '../context.ts'
import { logSome } from '../log_some.ts'
import { isNotMigrated, isTooSlow, isUnavailable } from '../store/outage.ts'
import type { Answer } from './answer_types.ts'
import { Problem, problemDocument } from '../problem.ts'
import { notFoundPage } from '../site/not_found.ts'

/** The answer to whatever was thrown: a document, and to a browser that has lost its way, a page. */
export function problemAnswer(ctx: Context, error: unknown, requestId: string, accept = ''): Answer {
  const problem = error instanceof Problem ? error : unexpected(ctx, error, requestId)
  if (problem.code === 'not_found' && /\btext\/html\b/i.test(accept)) return notFoundPage()
  const document = problemDocument(problem.code, problem.extra)
  return {
    status: document.status,
    json: document,
    headers: { ...problem.headers, 'content-type': 'application/problem+json' },
  }
}

/** What a store or a bug threw. The log knows what it was; the answer does not say. */
function unexpected(ctx: Context, error: unknown, requestId: string): Problem {
  if (isUnavailable(error) || isTooSlow(error) || isNotMigrated(error)) {
    logSome(ctx.log, 'warn', 'the database is unavailable', { reason: (error as Error).message }, { requestId })
    return new Problem('unavailable', { detail: 'the database does not answer; try again' }, { 'retry-after': '1' })
  }
  logSome(ctx.log, 'error', 'request failed', { err: error }, { requestId })
  return new Problem('internal', { detail: `see the log for request ${requestId}` })
}

/**
 * No answer but the dashboard is a page: nothing of it is run, framed, sniffed or kept (OWASP REST Security Cheat
 * Sheet).
 */
export const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
}

/** How an answer ends: whether another request may follow, and whether a body that nobody reads may still be coming. */
interface Ending {
  keepAlive: boolean
  isBodyComing: boolean
}

/** Writes an answer, or the head of one and its stream. */
export function send(res: ServerResponse, reply: Answer, extra: Record<string, string>, ending: Ending): void {
  const { stream } = reply
  const isUnread = !res.req.complete
  const headers: Record<string, string | number> = { 'content-type': 'application/json', ...SECURITY_HEADERS, ...extra }
  if (reply.headers) Object.assign(headers, reply.headers)
  const body = stream || reply.status === 204 ? '' : (reply.body ?? bodyText(reply, headers['content-type'] as string))
  if (reply.status === 204) delete headers['content-type']
  else if (!stream) headers['content-length'] = Buffer.byteLength(body)
  if (!ending.keepAlive || (isUnread && !stream)) headers.connection = 'close'
  res.writeHead(reply.status, headers)
  if (!stream && isUnread && ending.isBodyComing) {
    res.flushHeaders()
    if (body.length > 0) res.write(body)
    discard(res.req, () => res.end())
  } else if (!stream) res.end(body)
  else if (res.req.method === 'HEAD') {
    res.end()
    stream.destroy()
  } else pipeline(stream, res, () => {}) // when one ends, so does the other
}

/** JSON ends with a newline: a shell's next prompt begins a line of its own. */
function bodyText({ text, json }: Answer, type: string): string {
  if (text === undefined) return `${JSON.stringify(json)}\n`
  return type === 'application/json' ? `${text}\n` : text
}
