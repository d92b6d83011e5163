import postgres from 'postgres'
import { parse as parseArray } from 'postgres-array'
import type { Config } from '../config.ts'
import { CONNECT_TIMEOUT_S, socketsOf } from './socket.ts'

/** A pool of PostgreSQL connections. bigint columns arrive as numbers: token sums stay far below 2^53. */
export type Database = postgres.Sql<{ bigint: number }>

/** Far longer than a batch takes (25 ms), shorter than clients wait, and than a batch is idle before it is claimed. */
const STATEMENT_TIMEOUT_MS = 3_500
/** A wait for a lock ends before the statement counts as slow: a lock that others hold is nobody's mistake. */
const LOCK_GRACE_MS = 500
/**
 * The driver writes small pieces a turn later, and when a connection closes within that turn, what was not written
 * stays in front of the next connection's first message, which then waits for more, for up to minutes. A first message
 * of a kilobyte is written at once: the server refuses it, and the next try is clean.
 */
const PADDING = ' '.repeat(1024)

/**
 * Where PostgreSQL looks up names. Earlier releases had no schema of their own: their tables are wherever the server's
 * default path has put them. In a new database `flagmeter` has everything, and comes first.
 */
const searchPath = (schema: string | undefined): string =>
  schema === undefined ? 'flagmeter, "$user", public' : `"${schema}"`

/** Opens a pool, with these settings of the server on each connection; connections are made when first used. */
export function openDatabase(
  config: Pick<Config, 'databaseUrl' | 'databasePoolSize' | 'databaseSchema'>,
  statementTimeoutMs = STATEMENT_TIMEOUT_MS,
  settings: Record<string, number> = {},
): Database {
  return postgres(config.databaseUrl ?? '', {
    max: config.databasePoolSize,
    connect_timeout: CONNECT_TIMEOUT_S,
    idle_timeout: 60,
    // The default pauses up to 20 s between attempts, and every query meanwhile waits as long.
    backoff: (attempts: number) => Math.min(0.05 * 2 ** attempts, 1),
    onnotice: () => {},
    ...socketsOf(config.databaseUrl ?? ''),
    // Compiling takes longer than any of our statements: with it, one tenant with a million features made everybody's
    // reads 100 times slower.
    connection: {
      application_name: 'flagmeter',
      search_path: searchPath(config.databaseSchema),
      TimeZone: 'UTC',
      jit: 'off',
      statement_timeout: statementTimeoutMs,
      lock_timeout: Math.max(0, statementTimeoutMs - LOCK_GRACE_MS),
      options: PADDING,
      ...settings,
    },
    // Arrays are declared here instead: the driver asks for their types first on every connection, and when that fails,
    // the rejection reaches only the process, which ends (porsager/postgres, issue 1192).
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
