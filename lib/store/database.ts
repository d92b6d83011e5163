import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import type postgres from 'postgres'
import type { Database } from './connection.ts'
import { errorCode } from './outage.ts'
import { inTime } from '../time_out.ts'

/** The server ends a statement by itself; this much later nobody waits for it any more. */
const ANSWER_GRACE_MS = 500
/** Statements in hand, by pool: postgres.js does not tell. */
const inHand = new WeakMap<Database, number>()

/** How many statements a pool has in hand: on a connection, or waiting for one. */
export const statementsInHand = (database: Database): number => inHand.get(database) ?? 0

/** After this long an abandoned statement no longer counts, whatever the driver knows of it. */
const LATE_MS = 10_000

/** Statements that were given up and are not over yet, by pool. */
const late = new WeakMap<Database, number>()

/** The database did not answer in time: whether the statement took effect is unknown. */
export class DatabaseTimeout extends Error {
  readonly code = 'ANSWER_TIMEOUT'
}

/** The server ends a statement by itself; one that takes longer never arrived, or its answer is lost. */
const longestMs = (database: Database): number =>
  Number(database.options.connection.statement_timeout) + ANSWER_GRACE_MS

/** Who no longer wants an answer, by the view of a pool that was made for it. */
const signals = new WeakMap<Database, AbortSignal>()
/** A statement that takes less is not worth the connection that a cancellation takes. */
const CANCEL_AFTER_MS = 100

/** A view of a pool for somebody who may leave: soon after the signal aborts, `query` cancels what it has in hand. */
export function withSignal(database: Database, gone: AbortSignal): Database {
  const view = Object.create(database) as Database
  signals.set(view, gone)
  return view
}

/**
 * Runs one prepared statement, and waits at most `withinMs` for it.
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
  const rows = await inHandFor<Row[]>(database, withinMs, () => {
    const pending = database.unsafe<Row[]>(text, args as never[], { prepare: true })
    const work = gone ? cancelWhenGone(gone, pending) : pending
    return { work, giveUp: () => cancelStatement(pending) }
  })
  return withoutHoles(rows)
}

/**
 * When an answer is cut off, the driver keeps counting its rows on the next connection, whose first answer then
 * begins with as many holes. In a transaction that is the answer to BEGIN, which has no rows.
 */
const withoutHoles = <Row>(rows: Row[]): Row[] => (rows.length === 0 || 0 in rows ? rows : rows.filter(() => true))

async function cancelWhenGone<T>(gone: AbortSignal, pending: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const onGone = () => (timer = setTimeout(() => cancelStatement(pending), CANCEL_AFTER_MS))
  gone.addEventListener('abort', onGone)
  try {
    return await pending
  } finally {
    clearTimeout(timer)
    gone.removeEventListener('abort', onGone)
  }
}

/**
 * Asks the server to stop the statement it works at, over a connection of its own. Not `pending.cancel()`: that loses
 * the promise, and when the connection can't be made, the rejection nobody handles ends the process. Only while its
 * answer is the next to come: the driver forgets a statement that is cancelled behind another, and hands its answer to
 * the one after it.
 */
function cancelStatement(pending: object): void {
  const { canceller, active } = pending as { canceller: ((statement: object) => Promise<void>) | null; active: boolean }
  if (active) canceller?.(pending).catch(() => {})
}

/** As `query`; after a deadlock or a serialization failure the transaction is tried again, 5 times in all. */
export async function queryAgain<Row extends object>(
  database: Database,
  text: string,
  args: unknown[],
  withinMs = longestMs(database),
): Promise<Row[]> {
  const end = performance.now() + withinMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await query<Row>(database, text, args, Math.max(0, end - performance.now()))
    } catch (error) {
      if (!['40P01', '40001'].includes(errorCode(error)) || attempt === 5) throw error
      await sleep(Math.random() * 20 * 2 ** attempt)
    }
  }
}

/**
 * Waits at most this long for what `start` starts. While twice as much as the pool has connections was given up and is
 * not over, nothing more is started: the database does not answer, and whatever is sent to it would be done when
 * nobody wants it any more.
 * @throws DatabaseTimeout
 */
async function inHandFor<T>(
  database: Database,
  withinMs: number,
  start: () => { work: PromiseLike<T>; giveUp: () => void },
): Promise<T> {
  if ((late.get(database) ?? 0) >= 2 * database.options.max) throw new DatabaseTimeout('the database does not answer')
  const { work, giveUp } = start()
  inHand.set(database, statementsInHand(database) + 1)
  try {
    return await inTime(work, withinMs, () => {
      noteLate(database, work)
      giveUp()
      return new DatabaseTimeout('the database did not answer in time')
    })
  } finally {
    inHand.set(database, statementsInHand(database) - 1)
  }
}

/** Until it is over, or has taken so long that its connection must be lost. */
function noteLate(database: Database, work: PromiseLike<unknown>): void {
  const add = (count: number) => void late.set(database, (late.get(database) ?? 0) + count)
  add(1)
  let isOver = false
  const over = () => {
    if (!isOver) add(-1)
    isOver = true
  }
  work.then(over, over)
  setTimeout(over, LATE_MS).unref()
}

/**
 * Runs `work` in a transaction, and undoes it when that throws. The driver alone would end the process: when the
 * connection closes, it sends its ROLLBACK to a socket that is gone (porsager/postgres, issue 1208), or over whatever
 * connection came next. So a transaction whose connection is lost ends here, and says nothing more.
 */
export async function inTransaction<T>(
  database: Database,
  work: (transaction: Transaction) => Promise<T>,
  options = '',
): Promise<T> {
  let isLost = false
  const result = database.begin(options, async (transaction) => {
    try {
      return await work(transaction)
    } catch (error) {
      await setImmediate() // by then it is known whether the connection is lost
      throw error
    } finally {
      if (isLost) await new Promise(() => {})
    }
  }) as Promise<T>
  result.catch(() => (isLost = true))
  return await result
}

/** A transaction at work. */
export type Transaction = postgres.TransactionSql<{ bigint: number }>

/**
 * Runs one statement that changes something people answer for; the audit log names `actor`. When `beforeCommit` throws,
 * nothing is changed. What its caller has not waited for is not done later either, unless the commit was on its way.
 * @throws as `query` does
 */
export async function change<Row extends object>(
  database: Database,
  actor: string,
  text: string,
  args: unknown[] = [],
  beforeCommit?: (rows: Row[]) => Promise<void>,
): Promise<Row[]> {
  let isLate = false
  const unlessLate = () => {
    if (isLate) throw new DatabaseTimeout('nobody waits for this change any more')
  }
  const work = async (transaction: Transaction): Promise<Row[]> => {
    unlessLate()
    await transaction`select set_config('flagmeter.actor', ${actor}, true)`
    unlessLate()
    const rows = await transaction.unsafe<Row[]>(text, args as never[], { prepare: true })
    await beforeCommit?.(rows)
    unlessLate()
    return rows
  }
  return await inHandFor(database, longestMs(database), () => ({
    work: inTransaction(database, work),
    giveUp: () => (isLate = true),
  }))
}
