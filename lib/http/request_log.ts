import type { Context } from '../context.ts'
import { logSome } from '../log_some.ts'

/** A request and its answer. */
interface Done {
  method: string
  route: string
  status: number
  requestId: string
  /** What was thrown instead of an answer. */
  error?: unknown
}

/**
 * Counts a request, and writes its line of the log. `isLetIn`: it was known who called. Of requests that fail alike,
 * `logSome` leaves out lines; of those that failed unexpectedly, only if the error was the same.
 */
export function report(ctx: Context, done: Done, took: number, isLetIn: boolean): void {
  const { method, route, status, requestId, error } = done
  ctx.metrics.httpSeconds.observe({ method, route, status }, took / 1000)
  const ms = Math.round(took * 10) / 10
  if (status >= 500) {
    const cause = status === 500 ? error : undefined
    return logSome(ctx.log, 'error', 'request', { method, route, status }, { requestId, ms }, cause)
  }
  // What is refused at the door anybody can send, as often as they like: it is counted above and must not fill the log.
  const level = status >= 400 && isLetIn ? 'info' : 'debug'
  if (ctx.log.isLevelEnabled(level)) ctx.log[level]({ requestId, method, route, status, ms }, 'request')
}
