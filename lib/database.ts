import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { parse as parseArray } from 'postgres-array'
import type { Config } from './config.ts'

/** A pool of PostgreSQL connections. bigint columns arrive as numbers: token sums stay far below 2^53. */
export type Database = postgres.Sql<{ bigint: number }>

/** Far longer than a batch takes (25 ms), shorter than the idle time after which a batch is claimed by another. */
const STATEMENT_TIMEOUT_MS = 5_000
/** The server ends a statement by itself; this much later the connection counts as dead. */
const ANSWER_GRACE_MS = 1_000

/** Statements in hand, by pool: postgres.js does not tell. */
const inHand = new WeakMap<Database, number>()

/** How many statements a pool has in hand: on a connection, or waiting for one. */
export const statementsInHand = (database: Database): number => inHand.get(database) ?? 0

/** The database did not answer in time: whether the statement took effect is unknown. */
export class DatabaseTimeout extends Error {
  readonly code = 'ANSWER_TIMEOUT'
}

/** Opens a pool, with these settings of the server on each connection; connections are made when first used. */
export function openDatabase(
  config: Pick<Config, 'databaseUrl' | 'databasePoolSize'>,
  statementTimeoutMs = STATEMENT_TIMEOUT_MS,
  settings: Record<string, number> = {},
): Database {
  return postgres(config.databaseUrl ?? '', {
    max: config.databasePoolSize,
    connect_timeout: 5,
    idle_timeout: 60,
    // The default pauses up to 20 s between attempts, and whoever asks meanwhile waits as long.
    backoff: (attempts: number) => Math.min(0.05 * 2 ** attempts, 1),
    onnotice: () => {},
    // Compiling takes longer than any of our statements: with it, one tenant with a million features made everybody's reads 100 times slower.
    connection: {
      application_name: 'flagmeter',
      TimeZone: 'UTC',
      jit: 'off',
      statement_timeout: statementTimeoutMs,
      ...settings,
    },
    // Arrays are declared here instead: the driver asks for their types first on every connection, and when that fails, nobody
    // hears of it but the process, which ends (porsager/postgres, issue 1192).
    fetch_types: false,
    types: {
      bigint: { to: 20, from: [20], parse: Number, serialize: String },
      // int4[], int8[]
      numbers: {
        to: 1016,
        from: [1007, 1016],
        parse: (text: string) => parseArray(text, Number),
        serialize: arrayLiteral,
      },
      // text[], timestamptz[], uuid[]
      texts: { to: 1009, from: [1009, 1185, 2951], parse: (text: string) => parseArray(text), serialize: arrayLiteral },
    },
  })
}

/** An array as PostgreSQL reads it (its manual, section 8.15.2). */
const arrayLiteral = (elements: (string | number | null)[]): string => `{${elements.map(arrayElement).join()}}`

const arrayElement = (element: string | number | null): string =>
  typeof element === 'string' ? `"${escapeText(element)}"` : String(element ?? 'NULL')

/** Looking first takes half the time: hardly any text has something to escape. */
const escapeText = (text: string): string => (/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text)

/** The server ends a statement by itself; a connection that broke silently ends after this long. */
const longestMs = (database: Database): number =>
  Number(database.options.connection.statement_timeout) + ANSWER_GRACE_MS

/** Who no longer wants an answer, by the view of a pool that was made for it. */
const signals = new WeakMap<Database, AbortSignal>()
/** A statement that takes less is not worth the connection that a cancellation takes. */
const CANCEL_AFTER_MS = 100

/** A view of a pool for somebody who may leave: a moment after the signal aborts, `query` cancels what it has in hand. */
export function withSignal(database: Database, gone: AbortSignal): Database {
  const view = Object.create(database) as Database
  signals.set(view, gone)
  return view
}

/**
 * Runs one prepared statement, for whoever can wait `withinMs` for it.
 * @throws postgres.PostgresError from the server, DatabaseTimeout, or a connection error (see `isUnavailable`)
 */
export async function query<Row extends object>(
  database: Database,
  text: string,
  args: unknown[] = [],
  withinMs = longestMs(database),
): Promise<Row[]> {
  const gone = signals.get(database)
  gone?.throwIfAborted()
  const pending = database.unsafe<Row[]>(text, args as never[], { prepare: true })
  const answer = inTime(database, withinMs, pending, () => cancelStatement(pending))
  return await (gone ? cancelWhenGone(gone, pending, answer) : answer)
}

async function cancelWhenGone<T>(gone: AbortSignal, pending: object, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const onGone = () => (timer = setTimeout(() => cancelStatement(pending), CANCEL_AFTER_MS))
  gone.addEventListener('abort', onGone)
  return await answer.finally(() => {
    clearTimeout(timer)
    gone.removeEventListener('abort', onGone)
  })
}

/**
 * Asks the server to stop a statement, over a connection of its own. Not `pending.cancel()`: that loses the promise, and when
 * the connection can't be made, the rejection nobody handles ends the process.
 */
function cancelStatement(pending: object): void {
  const { canceller } = pending as { canceller: ((statement: object) => Promise<void>) | null }
  canceller?.(pending).catch(() => {})
}

/** As `query`; a transaction that was the victim of a deadlock or of a serialization failure is tried again, 5 times in all. */
export async function queryAgain<Row extends object>(
  database: Database,
  text: string,
  args: unknown[],
  withinMs = longestMs(database),
  attempt = 1,
): Promise<Row[]> {
  try {
    return await query<Row>(database, text, args, withinMs)
  } catch (error) {
    if (!['40P01', '40001'].includes(errorCode(error)) || attempt === 5) throw error
    await sleep(Math.random() * 20 * 2 ** attempt)
    return await queryAgain(database, text, args, withinMs, attempt + 1)
  }
}

/** @throws DatabaseTimeout */
async function inTime<T>(database: Database, withinMs: number, work: PromiseLike<T>, cancel = () => {}): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  inHand.set(database, statementsInHand(database) + 1)
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      cancel()
      reject(new DatabaseTimeout('the database did not answer in time'))
    }, withinMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    inHand.set(database, statementsInHand(database) - 1)
  }
}

/**
 * Runs one statement that changes something people answer for; the audit log names `actor`. When `beforeCommit` throws,
 * nothing is changed.
 * @throws as `query` does
 */
export async function change<Row extends object>(
  database: Database,
  actor: string,
  text: string,
  args: unknown[] = [],
  beforeCommit?: (rows: Row[]) => Promise<void>,
): Promise<Row[]> {
  return await inTime(
    database,
    longestMs(database),
    database.begin(async (transaction) => {
      await transaction`select set_config('flagmeter.actor', ${actor}, true)`
      const rows = await transaction.unsafe<Row[]>(text, args as never[], { prepare: true })
      await beforeCommit?.(rows)
      return rows
    }) as Promise<Row[]>,
  )
}

/** The SQLSTATE of an error from the server, or the code of a connection error. */
export const errorCode = (error: unknown): string => (error as { code?: string }).code ?? ''

/** The database can't be reached or can't work now; the same statement may succeed later. */
export function isUnavailable(error: unknown): boolean {
  const code = errorCode(error)
  // 08 connection, 53 resources, 57 operator intervention (shutdown, statement timeout), 25006 read-only, 58 system,
  // 3D000/3F000/42P01/42883 no database or schema yet: not migrated.
  return /^(08|53|57|58)...$|^(25006|3D000|3F000|42P01|42883)$|^E[A-Z]+$|^CONNECT|^ANSWER_TIMEOUT$/.test(code)
}
