import type { Context } from '../context.ts'

/** A request and its answer. */
interface Done {
  method: string
  route: string
  status: number
  requestId: string
}

/** Counts a request, and writes its line of the log. `isLetIn`: it was known who called. */
export function report(ctx: Context, { method, route, status, requestId }: Done, ms: number, isLetIn: boolean): void {
  ctx.metrics.httpSeconds.observe({ method, route, status }, ms / 1000)
  // What is refused at the door anybody can send, as often as they like: it is counted above and must not fill the log.
  const level = status >= 500 ? 'error' : status >= 400 && isLetIn ? 'info' : 'debug'
  if (ctx.log.isLevelEnabled(level))
    ctx.log[level]({ requestId, method, route, status, ms: Math.round(ms * 10) / 10 }, 'request')
}
