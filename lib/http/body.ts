import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { type Hold, SMALL } from './body_memory.ts'
import { hasMoreLines, survey } from './body_scan.ts'
import { type HttpHandler, InvalidJson } from './endpoint.ts'
import { findJsonMistake, placeOf } from './json_mistake.ts'
import { Problem } from '../problem.ts'
import { inTurns, nextTurn } from './turns.ts'
import { withCommas } from '../words.ts'

const DEFAULT_BODY_BYTES = 64 * 1024
/**
 * A body comes in so many pieces at most: a chunk of one byte costs as much time as one of a thousand. Packets of 8 MiB
 * are 6,000.
 */
const MAX_PIECES = 20_000
/** Smaller pieces are gathered in blocks: a piece of its own takes 200 bytes beside what is in it. */
const BLOCK_BYTES = 4 * 1024
/**
 * What is answered before its body was read may go on so long: who is cut off while sending does not see the answer.
 */
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
  const value = found.cuts.length > 0 ? await parseParts(req, body, found.cuts) : parse(req, body, true)
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

/** A long array, cut between its elements and a part in each turn. */
async function parseParts(req: IncomingMessage, body: Buffer, cuts: number[]): Promise<unknown[]> {
  checkType(req, true)
  if (!isUtf8(body)) throw notUtf8()
  const values: unknown[] = []
  let from = 0
  for (const to of [...cuts, body.length]) {
    if (from > 0) await nextTurn()
    const text = body.toString('utf8', from, to)
    const part = tryJson((from > 0 ? '[' : '') + text + (to < body.length ? ']' : ''))
    if (!Array.isArray(part) || part.length === 0) throw wrongPart(body, from, to)
    for (const value of part) values.push(value)
    from = to + 1
  }
  return values
}

/** The mistake in the part of a long array between two bytes: its beginning, or what follows a comma. */
function wrongPart(body: Buffer, from: number, to: number): Problem {
  const before = from > 0 ? '[0,' : ''
  const mistake = findJsonMistake(before + body.toString('utf8', from, to) + (to < body.length ? ',' : ''))
  const start = body.toString('utf8', 0, from).length
  const place = placeOf(body.toString(), start + (mistake ? mistake.at - before.length : 0))
  const detail = `the body is not valid JSON ${mistake ? `at ${place}: ${mistake.reason}` : `from ${place} on`}`
  return new Problem('invalid_json', { detail })
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

/** The value, or InvalidJson: a body never goes into an answer or a log, but where it is wrong may. */
function parseJson(text: string): unknown {
  const value = tryJson(text)
  if (value !== NO_JSON) return value
  const mistake = findJsonMistake(text)
  return new InvalidJson(
    mistake ? `is not valid JSON at ${placeOf(text, mistake.at)}: ${mistake.reason}` : 'is not valid JSON',
  )
}

const NO_JSON = Symbol('no JSON')

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return NO_JSON
  }
}
