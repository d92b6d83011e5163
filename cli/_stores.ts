import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../lib/context.ts'
import { query } from '../lib/store/database.ts'
import type { Database } from '../lib/store/connection.ts'
import { errorCode, isNotMigrated, isUnavailable } from '../lib/store/outage.ts'
import { migrationStatus } from '../lib/store/migrate.ts'
import { loadSql } from '../lib/store/sql.ts'
import type { Terminal } from './_command.ts'

const PAUSE_MS = 500
/** A server silent for this long is down, or is not PostgreSQL: the driver would reconnect forever. */
const ANSWER_MS = 6_000

class MissingMigrations extends Error {}

/**
 * Waits for a database that has been migrated to this release or a newer one: older processes keep working during a
 * rolling upgrade. Resolves with true when it is there, with false at `stop`. Logs once what it waits for, and when
 * that arrives.
 */
export async function databaseIsThere({ database, log }: Context, stop: AbortSignal): Promise<boolean> {
  let waitsFor: string | undefined
  while (!stop.aborted) {
    try {
      await query(database, loadSql('queries/health_check'))
      const missing = (await migrationStatus(database)).filter(({ appliedAt }) => !appliedAt)
      if (missing.length > 0) throw new MissingMigrations(`it lacks ${missing.map(({ name }) => name).join(', ')}`)
      if (waitsFor !== undefined) log.info(`${waitsFor} is there`)
      return true
    } catch (error) {
      const isMissing = error instanceof MissingMigrations || isNotMigrated(error)
      const what = `${isMissing ? 'a migrated database' : 'PostgreSQL'} at ${addressOf(database)}`
      if (what !== waitsFor) log.warn({ reason: reasonOf(error) }, `waiting for ${what}`)
      waitsFor = what
      await sleep(PAUSE_MS, undefined, { signal: stop }).catch(() => {})
    }
  }
  return false
}

/** Waits up to this many seconds for the database to answer, and says so once. @throws the error of the last try */
export async function awaitDatabase({ err, stop }: Terminal, database: Database, seconds: number): Promise<void> {
  const end = performance.now() + seconds * 1000
  for (let isTold = false; ; isTold = true) {
    try {
      return void (await query(database, 'select', [], ANSWER_MS))
    } catch (error) {
      if (!(isUnavailable(error) || isNotMigrated(error)) || performance.now() >= end || stop.aborted) throw error
      const line = `waiting for PostgreSQL at ${addressOf(database)}, ${seconds} s at most (${reasonOf(error)})`
      if (!isTold) err.write(`flagmeter: ${line}\n`)
      await sleep(PAUSE_MS, undefined, { signal: stop }).catch(() => {})
    }
  }
}

const addressOf = ({ options }: Database): string => `${options.host[0]}:${options.port[0]}`
const reasonOf = (error: unknown): string => (error as Error).message || errorCode(error)
