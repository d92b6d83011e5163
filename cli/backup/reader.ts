import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { CommandError } from '../_command.ts'
import { END_OF_ROWS } from './format.ts'

const CHUNK_BYTES = 64 * 1024
/** The first bytes of a file from `pg_dump --format=custom`. */
const PG_DUMP = 'PGDMP'

/** The parts of a backup, in order. */
export interface BackupReader {
  /** The next line. @throws CommandError at the end */
  line: <T>() => Promise<T>
  /** The rows of a table, in pieces of whole lines. */
  rows: () => AsyncGenerator<Buffer>
  /** Reads to the end, where the checksum is. @throws CommandError when something follows */
  end: () => Promise<void>
}

/** Reads an unpacked backup. Each function throws CommandError when it is not ours, truncated or damaged. */
export function openBackup(chunks: AsyncIterator<Buffer>): BackupReader {
  let rest: Buffer = Buffer.alloc(0)
  const more = async () => {
    const { done, value } = await chunks.next()
    if (done) throw new CommandError('the backup is cut short')
    rest = rest.length === 0 ? value : Buffer.concat([rest, value])
  }
  const take = (bytes: number) => {
    const taken = rest.subarray(0, bytes)
    rest = rest.subarray(bytes)
    return taken
  }
  return {
    async line<T>() {
      while (!rest.includes('\n')) await more()
      const text = take(rest.indexOf('\n') + 1).toString()
      try {
        return JSON.parse(text) as T
      } catch {
        throw new CommandError('this is no backup of FlagMeter')
      }
    },
    async *rows() {
      // `rest` always begins at the start of a line.
      while (rest.toString('latin1', 0, END_OF_ROWS.length) !== END_OF_ROWS) {
        const last = rest.indexOf(`\n${END_OF_ROWS}`)
        const whole = (last === -1 ? rest.lastIndexOf('\n') : last) + 1
        if (whole > 0) yield take(whole)
        else await more()
      }
      take(END_OF_ROWS.length)
    },
    async end() {
      const { done } = await chunks.next()
      if (!done || rest.length > 0) throw new CommandError('the backup is damaged: something follows its end')
    },
  }
}

/** Unpacks a file. @throws CommandError when it is not ours, truncated or damaged */
export async function* unpackBackup(from: Readable, stop: AbortSignal): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  const fed = pipeline(from, refusePgDump, gunzip, { signal: stop })
  fed.catch(() => {})
  try {
    yield* gunzip as AsyncIterable<Buffer>
    await fed
  } catch (error) {
    const { code = '', message } = (await fed.then(
      () => error,
      (cause: unknown) => cause,
    )) as NodeJS.ErrnoException
    if (stop.aborted) throw new CommandError('stopped')
    if (code === 'Z_BUF_ERROR') throw new CommandError('the backup is cut short')
    if (code.startsWith?.('Z_')) throw new CommandError(`this is no backup of FlagMeter, or it is damaged: ${message}`)
    throw error
  }
}

async function* refusePgDump(from: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of from) {
    if (isFirst && chunk.subarray(0, PG_DUMP.length).toString('latin1') === PG_DUMP)
      throw new CommandError(
        'this backup was made by pg_dump: restore it with `pg_restore --no-owner --no-privileges ' +
          '--single-transaction --dbname=<URL of an empty database> <file>`, ' +
          'then run `flagmeter migrate` and `flagmeter verify`',
      )
    isFirst = false
    yield chunk
  }
}
