import type { Config } from '../config.ts'
import { withSignal } from './database.ts'
import { type Database, openDatabase } from './connection.ts'
import { errorCode } from './outage.ts'
import { Problem } from '../problem.ts'

/** Reports of a process at once, each on a connection that no event waits for. */
const AT_ONCE = 3
/** Of one key: another finds room at once. */
const KEY_AT_ONCE = 2
/** A page of the dashboard asks for ten; so many browsers of a key may open one in the same moment. */
const KEY_WAITING = 200
/** With what a statement may take, no longer than clients wait. */
const WAIT_MS = 2_000
const STATEMENT_MS = 3_000

/** Questions that cost as much as the range they name, or as the history there is. They never take what events need. */
export interface Reports {
  /**
   * Runs a report when its key has its turn: keys take turns, however many reports each asks for. It is cancelled when
   * `gone` aborts.
   * @throws Problem rate_limited when too many of the key wait, or one for too long; unavailable when it takes too long
   * itself
   */
  run<T>(keyId: string, gone: AbortSignal, work: (database: Database) => Promise<T> | T): Promise<T>
  release(): Promise<void>
}

/** The reports of a key. */
interface Line {
  running: number
  /** Each begins when it is called. */
  waiting: (() => void)[]
}

/** Opens the reports of one process, on a pool of their own. */
export function openReports(config: Pick<Config, 'databaseUrl' | 'databaseSchema'>): Reports {
  const settings = { ...config, databasePoolSize: AT_ONCE }
  // Without workers beside it, a report takes one processor of the database at most.
  const database = openDatabase(settings, STATEMENT_MS, {
    max_parallel_workers_per_gather: 0,
    lock_timeout: 0, // a report that waits for a lock is a slow one
  })
  /** By key, in the order of their turns. */
  const lines = new Map<string, Line>()
  let running = 0

  async function run<T>(keyId: string, gone: AbortSignal, work: (database: Database) => Promise<T> | T): Promise<T> {
    await turn(keyId, gone)
    try {
      return await work(withSignal(database, gone))
    } catch (error) {
      throw errorCode(error) === '57014' ? tooSlow() : error
    } finally {
      running--
      lines.get(keyId)!.running--
      beginNext()
    }
  }

  /** Resolves when one more of the key may run; it counts as running then. */
  function turn(keyId: string, gone: AbortSignal): Promise<void> {
    const line = lines.get(keyId) ?? { running: 0, waiting: [] }
    lines.set(keyId, line)
    if (line.waiting.length >= KEY_WAITING)
      throw tooManyReports(`has ${KEY_WAITING} reports waiting, which is the most it may have`)
    return new Promise((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer)
        gone.removeEventListener('abort', leave)
      }
      const leave = () => {
        stop()
        line.waiting.splice(line.waiting.indexOf(begin), 1)
        reject(tooManyReports(`waited ${WAIT_MS / 1000} seconds for a report to start`))
        beginNext()
      }
      const begin = () => {
        stop()
        resolve()
      }
      const timer = setTimeout(leave, WAIT_MS)
      gone.addEventListener('abort', leave)
      line.waiting.push(begin)
      beginNext()
    })
  }

  function beginNext(): void {
    for (const [keyId, line] of lines) {
      if (line.running + line.waiting.length === 0) lines.delete(keyId)
      if (line.waiting.length === 0 || line.running >= KEY_AT_ONCE || running >= AT_ONCE) continue
      lines.delete(keyId) // and to the end: its next turn comes after everybody else's
      lines.set(keyId, line)
      running++
      line.running++
      line.waiting.shift()!()
    }
  }

  return { run, release: () => database.end({ timeout: 5 }) }
}

const tooManyReports = (what: string): Problem =>
  new Problem('rate_limited', { detail: `this key ${what}; try again` }, { 'retry-after': '1' })

const tooSlow = (): Problem =>
  new Problem(
    'unavailable',
    { detail: `the report took longer than ${STATEMENT_MS / 1000} seconds; ask for a shorter range or a smaller page` },
    { 'retry-after': '5' },
  )
