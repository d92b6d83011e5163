import type { ServerResponse } from 'node:http'
import { type Duplex, pipeline } from 'node:stream'
import { discard } from './body.ts'
import type { Context } from '../context.ts'
import { isNotMigrated, isTooSlow, isUnavailable } from '../store/outage.ts'
import type { Answer } from './endpoint.ts'
import { Problem, type ProblemCode, problemDocument } from '../problem.ts'
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
    ctx.log.warn({ requestId, reason: (error as Error).message }, 'the database is unavailable')
    return new Problem('unavailable', { detail: 'the database does not answer; try again' }, { 'retry-after': '1' })
  }
  ctx.log.error({ requestId, err: error }, 'request failed')
  return new Problem('internal', { detail: `see the log for request ${requestId}` })
}

/**
 * No answer but the dashboard is a page: nothing of it is run, framed, sniffed or kept (OWASP REST Security Cheat
 * Sheet).
 */
const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000',
  'x-content-type-options': 'nosniff',
}

/**
 * How an answer ends: whether another request may follow, and whether its client may still be sending a body that
 * nobody reads.
 */
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
  } else pipeline(stream, res, () => {}) // whoever ends first, ends the other
}

/** JSON ends with a newline: a shell's next prompt begins a line of its own. */
function bodyText({ text, json }: Answer, type: string): string {
  if (text === undefined) return `${JSON.stringify(json)}\n`
  return type === 'application/json' ? `${text}\n` : text
}

const BROKEN: Record<string, ProblemCode> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
}

/** Answers what never became a request: broken HTTP, or one that came too slowly. The connection ends with it. */
export function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const document = problemDocument(BROKEN[error.code ?? ''] ?? 'malformed_http')
  const body = `${JSON.stringify(document)}\n`
  socket.end(
    `HTTP/1.1 ${document.status} ${document.code}\r\ncontent-type: application/problem+json\r\n` +
      Object.entries(SECURITY_HEADERS)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('') +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
