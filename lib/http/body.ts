import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { type Hold, SMALL } from './body_memory.ts'
import { hasMoreLines, survey } from './body_scan.ts'
import { type HttpHandler, InvalidJson } from './endpoint.ts'
import { parseJson, parseJsonParts } from './json.ts'
import { Problem } from '../problem.ts'
import { inTurns, nextTurn } from './turns.ts'
import { withCommas } from '../words.ts'

const DEFAULT_BODY_BYTES = 64 * 1024
/** The most pieces of a body: a chunk of one byte takes as long as one of a thousand. Packets of 8 MiB are 6,000. */
const MAX_PIECES = 20_000
/** Smaller pieces are gathered in blocks: a piece of its own takes 200 bytes beside what is in it. */
const BLOCK_BYTES = 4 * 1024
/** How much of an unread body is discarded: a client that is cut off while sending does not see its answer. */
const DISCARDED_BYTES = 8 * 1024 * 1024
const DISCARD_MS = 1_000

/**
 * Reads, bounds and decodes the body of a request. `start` is called when it is wanted.
 * @throws Problem body_too_large, batch_too_large, unsupported_media_type, invalid_json, and those of the hold
 */
export async function takeBody(
  req: IncomingMessage,
  { maxBodyBytes = DEFAULT_BODY_BYTES, maxEvents }: HttpHandler,
  hold: Hold,
  start?: () => void,
): Promise<unknown> {
  if (Number(req.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes)
  start?.()
  const body = await readBody(req, maxBodyBytes, hold)
  if (maxEvents === undefined) return parse(req, body)
  const isLines = mediaType(req.headers['content-type']) === 'application/x-ndjson'
  if (isLines && hasMoreLines(body, 2 * maxEvents)) throw tooManyEvents(maxEvents) // an empty line after each is fine
  const found = survey(body, maxEvents, isLines)
  if (found === 'events') throw tooManyEvents(maxEvents)
  if (found === 'too large')
    throw new Problem('body_too_large', { detail: `the body holds more than ${withCommas(maxEvents)} events can` })
  if (found.weight > SMALL) {
    await hold.work(found.weight)
    await nextTurn()
  }
  if (isLines) return parseLines(req, body, maxEvents)
  const value = found.cuts.length > 0 ? await parseLong(req, body, found.cuts) : parse(req, body, true)
  // Spaces in front hid from the survey what it is
  if (Array.isArray(value) && value.length > maxEvents) throw tooManyEvents(maxEvents)
  return value
}

/**
 * Reads on and forgets, a piece per turn and within limits, so that a client that is still sending gets its answer.
 * Calls `done` once.
 */
export function discard(req: IncomingMessage, done: () => void): void {
  let pieces = 0
  let size = 0
  const timer = setTimeout(finish, DISCARD_MS).unref()
  function finish(): void {
    clearTimeout(timer)
    req.off('data', look).off('end', finish).off('close', finish)
    done()
  }
  function look({ length }: Buffer): void {
    size += length
    if (size > DISCARDED_BYTES || ++pieces > MAX_PIECES) return finish()
    req.pause()
    void nextTurn().then(() => req.resume())
  }
  req.on('data', look).on('end', finish).on('close', finish).resume()
}

/** A body that comes in pieces. Small ones are gathered. */
class Pieces {
  readonly #pieces: Buffer[]
  #count = 1
  #block: Buffer | undefined
  #used = 0

  constructor(first: Buffer) {
    this.#pieces = [first]
  }

  add(piece: Buffer): void {
    if (++this.#count > MAX_PIECES)
      throw new Problem('body_too_large', { detail: `the body came in more than ${withCommas(MAX_PIECES)} pieces` })
    if (piece.length >= BLOCK_BYTES || this.#used + piece.length > BLOCK_BYTES) this.#endBlock()
    if (piece.length >= BLOCK_BYTES) {
      this.#pieces.push(piece)
      return
    }
    this.#block ??= Buffer.allocUnsafeSlow(BLOCK_BYTES)
    this.#used += piece.copy(this.#block, this.#used)
  }

  join(): Buffer {
    this.#endBlock()
    return Buffer.concat(this.#pieces)
  }

  #endBlock(): void {
    if (this.#block) this.#pieces.push(this.#block.subarray(0, this.#used))
    this.#block = undefined
    this.#used = 0
  }
}

/** Reads a body of at most `limit` bytes. @throws Problem; an Error when the client went away */
function readBody(req: IncomingMessage, limit: number, hold: Hold): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined
    let rest: Pieces | undefined
    let size = 0
    req.on('data', (piece: Buffer) => {
      try {
        size += piece.length
        if (size > limit) throw tooLarge(limit)
        if (first || !req.complete) hold.add(piece.length) // else it is all, and nothing waits
        if (first) (rest ??= new Pieces(first)).add(piece)
        else first = piece
      } catch (error) {
        req.removeAllListeners('data').pause()
        rest = undefined
        reject(error)
      }
    })
    req.on('end', () => resolve(rest?.join() ?? first ?? Buffer.alloc(0)))
    req.on('error', reject)
  })
}

const tooLarge = (limit: number) =>
  new Problem('body_too_large', { detail: `the body must be at most ${withCommas(limit)} bytes long` })

const tooManyEvents = (most: number) =>
  new Problem('batch_too_large', { detail: `a batch may hold at most ${withCommas(most)} events` })

function parse(req: IncomingMessage, body: Buffer, takesLines = false): unknown {
  if (body.length === 0) throw new Problem('invalid_json', { detail: 'the body is empty; send JSON' })
  checkType(req, takesLines)
  const value = parseJson(textOf(body))
  if (value instanceof InvalidJson) throw new Problem('invalid_json', { detail: `the body ${value.detail}` })
  return value
}

async function parseLong(req: IncomingMessage, body: Buffer, cuts: number[]): Promise<unknown[]> {
  checkType(req, true)
  if (!isUtf8(body)) throw notUtf8()
  return await parseJsonParts(body, cuts)
}

/** A value, or InvalidJson, per line. */
async function parseLines(req: IncomingMessage, body: Buffer, maxEvents: number): Promise<unknown[]> {
  checkType(req, true)
  const lines = textOf(body)
    .split('\n')
    .filter((line) => line.trim() !== '')
  if (lines.length > maxEvents) throw tooManyEvents(maxEvents)
  return inTurns(lines, parseJson)
}

/** @throws Problem unsupported_media_type */
function checkType({ headers }: IncomingMessage, takesLines: boolean): void {
  const type = mediaType(headers['content-type'])
  const isKnown = type === 'application/json' || (takesLines && type === 'application/x-ndjson')
  if (isKnown && (headers['content-encoding'] ?? 'identity') === 'identity') return
  const allowed = takesLines ? 'application/json or application/x-ndjson' : 'application/json'
  throw new Problem('unsupported_media_type', { detail: `content-type must be ${allowed}, without content-encoding` })
}

function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw notUtf8()
  return body.toString()
}

const notUtf8 = () => new Problem('invalid_json', { detail: 'the body is not valid UTF-8' })

function mediaType(header: string | undefined): string | undefined {
  return header === 'application/json' ? header : header?.split(';', 1)[0]!.trim().toLowerCase()
}
