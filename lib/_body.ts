import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { InvalidJson } from './handler.ts'
import { Problem } from './problem.ts'

/** Reads a body of at most `limit` bytes. @throws Problem body_too_large; an Error when the client went away */
export function readBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(req.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge(limit))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    req.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limit) {
        req.removeAllListeners('data').pause()
        reject(tooLarge(limit))
      } else chunks.push(chunk)
    })
    req.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    req.on('error', reject)
  })
}

const tooLarge = (limit: number) =>
  new Problem('body_too_large', { detail: `the body must be at most ${limit} bytes long` }, { connection: 'close' })

/** Decodes a body by its content type. @throws Problem unsupported_media_type, invalid_json */
export function parseBody(req: IncomingMessage, body: Buffer, ndjson: boolean): unknown {
  const type = mediaType(req.headers['content-type'])
  const isNdjson = ndjson && type === 'application/x-ndjson'
  if ((!isNdjson && type !== 'application/json') || (req.headers['content-encoding'] ?? 'identity') !== 'identity') {
    const allowed = ndjson ? 'application/json or application/x-ndjson' : 'application/json'
    throw new Problem('unsupported_media_type', { detail: `content-type must be ${allowed}, without content-encoding` })
  }
  if (!isUtf8(body)) throw new Problem('invalid_json', { detail: 'the body is not valid UTF-8' })
  const text = body.toString()
  if (isNdjson)
    return text
      .split('\n')
      .filter((line) => line.trim() !== '')
      .map(parseJson)
  const value = parseJson(text)
  if (value instanceof InvalidJson) throw new Problem('invalid_json', { detail: value.detail })
  return value
}

function mediaType(header: string | undefined): string | undefined {
  return header === 'application/json' ? header : header?.split(';', 1)[0]!.trim().toLowerCase()
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // V8 quotes the text around the mistake; a body never goes into an answer or a log, its position may.
    const position = /position \d+/.exec((error as Error).message)?.[0]
    return new InvalidJson(position ? `is not valid JSON at ${position}` : 'is not valid JSON')
  }
}
