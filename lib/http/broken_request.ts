import type { Duplex } from 'node:stream'
import { SECURITY_HEADERS } from './answer.ts'
import { type ProblemCode, problemDocument } from '../problem.ts'

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
