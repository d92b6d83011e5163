import { type Hash, createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { type Info, type Parser, parse } from 'csv-parse'
import { MAX_TOKENS } from '../../lib/pools/pools.ts'
import { CommandError, Exit } from '../_command.ts'

/** The columns of the public Azure LLM inference traces. Others are ignored. */
const COLUMNS = ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens'] as const
/** A longer row is not a call but probably an unclosed quote, which must not fill the memory. */
const MAX_ROW_BYTES = 100_000

/** One row. */
export interface Call {
  /** Milliseconds since 1970, as recorded. */
  at: number
  /** Tokens of context and answer together. */
  tokens: number
}

/** What one pass over the file finds. */
export interface Trace {
  file: string
  calls: number
  tokens: number
  /** Calls without tokens: they are left out, since an event must not report 0. */
  empty: number
  firstAt: number
  lastAt: number
  /** The calls are in order of time. */
  sorted: boolean
  /** A hash of the file's bytes, from which the event ids derive. */
  sha256: string
}

/** Reads the whole file once, to find any mistake before something is sent. @throws CommandError */
export async function scanTrace(file: string, stop: AbortSignal): Promise<Trace> {
  const hash = createHash('sha256')
  const trace = { file, calls: 0, tokens: 0, empty: 0, firstAt: Infinity, lastAt: -Infinity, sorted: true }
  for await (const { at, tokens } of readCalls(file, hash)) {
    if (stop.aborted) throw new CommandError('interrupted', 130)
    trace.calls++
    trace.tokens += tokens
    if (tokens === 0) trace.empty++
    if (at < trace.lastAt) trace.sorted = false
    if (at < trace.firstAt) trace.firstAt = at
    if (at > trace.lastAt) trace.lastAt = at
  }
  if (trace.calls === 0) throw new CommandError(`${file} has no calls`)
  return { ...trace, sha256: hash.digest('hex') }
}

/** Streams the calls of a file of any size. @throws CommandError that names file, line and column */
export async function* readCalls(file: string, hash?: Hash): AsyncGenerator<Call> {
  let read: ((row: string[]) => Call) | undefined
  let number = 0
  try {
    for await (const row of openRows(file, { hash })) {
      number++
      if (read) yield read(row as string[])
      else read = createRowReader(row as string[])
    }
  } catch (error) {
    if (error instanceof CommandError) throw error
    if (error instanceof BadRow) throw new CommandError(`${file}, line ${await lineOf(file, number)}, ${error.message}`)
    throw new CommandError(`${file}: ${(error as Error).message}`) // csv-parse names the line
  }
}

/**
 * The rows of a file; with `info`, each with its position. Closes the file after the last row, or when no more are
 * wanted.
 */
function openRows(file: string, { hash, info = false }: { hash?: Hash | undefined; info?: boolean }): Parser {
  const source = createReadStream(checkFile(file))
  const format = { bom: true, record_delimiter: ['\r\n', '\n'], relax_column_count: true, skip_empty_lines: true }
  const parser = parse({ ...format, max_record_size: MAX_ROW_BYTES, info })
  if (hash) source.on('data', (chunk) => hash.update(chunk))
  source.on('error', (error) => parser.destroy(error))
  parser.on('close', () => source.destroy())
  return source.pipe(parser)
}

/** The line where a row ends. Only asked for on errors: tracking it for every row would take three times as long. */
async function lineOf(file: string, row: number): Promise<number> {
  let number = 0
  for await (const record of openRows(file, { info: true })) {
    if (++number === row) return (record as { info: Info }).info.lines
  }
  return row
}

/** Refuses files that can't be read twice, such as pipes. */
function checkFile(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false })
  if (!stat) throw new CommandError(`there is no file ${file}`, Exit.usage)
  if (!stat.isFile()) throw new CommandError(`${file} is not a regular file; a trace is read twice`, Exit.usage)
  return file
}

/** What is wrong with a row. */
class BadRow extends Error {}

/** Turns rows into calls; the first row names the columns. */
function createRowReader(head: string[]): (row: string[]) => Call {
  const names = head.map((name) => name.trim())
  const [time, context, generated] = COLUMNS.map((column) => {
    const index = names.indexOf(column)
    if (index < 0) throw new BadRow(`has no column ${column}; it has ${names.join(', ').slice(0, 200)}`)
    return index
  }) as [number, number, number]
  const bad = (column: number, value: string | undefined, must: string): never => {
    const found = value === undefined ? 'is missing' : `${must}, not '${value.trim().slice(0, 60)}'`
    throw new BadRow(`${names[column]} ${found}`)
  }
  const tokensOf = (row: string[], column: number): number =>
    parseTokens(row[column]) ?? bad(column, row[column], `must be a whole number up to ${MAX_TOKENS}`)
  return (row) => {
    const at = parseTime(row[time] ?? '') ?? bad(time, row[time], 'must be a UTC time like 2023-11-16 18:15:46.6805900')
    const tokens = tokensOf(row, context) + tokensOf(row, generated)
    if (tokens > MAX_TOKENS)
      bad(generated, row[generated], `must bring at most ${MAX_TOKENS} tokens together with ContextTokens`)
    return { at, tokens }
  }
}

function parseTokens(text = ''): number | undefined {
  const digits = text.trim()
  if (!/^\d{1,10}$/.test(digits) || Number(digits) > MAX_TOKENS) return undefined
  return Number(digits)
}

const TIME = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,12}))? ?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?$/

/** Milliseconds since 1970, with finer digits cut off. Without an offset, the time is UTC. */
export function parseTime(text: string): number | undefined {
  const found = TIME.exec(text.trim())
  if (!found) return undefined
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const date = Date.UTC(year, month - 1, day)
  const exists = new Date(date).getUTCMonth() === month - 1 && year >= 1000 // no February 30
  if (!exists || hour > 23 || minute > 59 || second > 59) return undefined
  const [, , , , , , , fraction = '', sign, offsetHours = '0', offsetMinutes = '0'] = found
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === '-' ? -1 : 1)
  return date + ((hour * 60 + minute - offset) * 60 + second) * 1000 + Number(fraction.padEnd(3, '0').slice(0, 3))
}
