import { inspect } from 'node:util'
import type { Logger } from 'pino'

/** Lines alike that are written within a second. */
const MOST_ALIKE = 10
/** By kind of line: how many there were in this second; `report` writes how many of them were left out. */
type Kinds = Map<string, { count: number; report: (more: number) => void }>
const seconds = new WeakMap<Logger, Kinds>()

/**
 * Writes a line of the log, unless ten alike were written within the second: in an outage thousands of requests fail
 * alike. When the second is over, one line with `more` says how many were left out. Lines are alike when they have the
 * same message, the same `shared` fields and the same `error`, which is not written; `own` differs for each line.
 */
export function logSome(
  log: Logger,
  level: 'warn' | 'error',
  message: string,
  shared: object,
  own: object,
  error?: unknown,
): void {
  let kinds = seconds.get(log)
  if (!kinds) seconds.set(log, (kinds = startSecond(log)))
  const kind = inspect([message, shared, error])
  const alike = kinds.get(kind) ?? {
    count: 0,
    report: (more) => log[level]({ ...shared, more }, `${message}: further ones alike`),
  }
  kinds.set(kind, alike)
  if (++alike.count <= MOST_ALIKE) log[level]({ ...own, ...shared }, message)
}

function startSecond(log: Logger): Kinds {
  const kinds: Kinds = new Map()
  setTimeout(() => {
    seconds.delete(log)
    for (const { count, report } of kinds.values()) if (count > MOST_ALIKE) report(count - MOST_ALIKE)
  }, 1000).unref()
  return kinds
}
