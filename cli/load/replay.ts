import { setTimeout as sleep } from 'node:timers/promises'
import { CommandError } from '../_command.ts'
import { type Answer, type LoadClient, type LoadEvent, type Refusal, judge } from './client.ts'
import { GRACE_MS, idOf, idPrefix } from './synthetic.ts'
import type { Tally } from './tally.ts'
import { type Trace, readCalls } from './trace.ts'

const MINUTE_MS = 60_000
/** Tries per request: half a minute without a server, or as long as its Retry-After asks. */
const TRIES = 10
const MAX_BACKOFF_MS = 5_000
const MAX_RETRY_AFTER_MS = 5 * MINUTE_MS

export interface ReplayPlan {
  trace: Trace
  tenant: string
  feature: string
  /** How many times faster than recorded; Infinity: as fast as the server answers. */
  speed: number
  /** At most this many events per request. */
  batch: number
  seed: number
}

/**
 * At most this many open requests. Four batches keep a server busy; at the recorded pace, a slow answer must not delay
 * the next call.
 */
export const replayConnections = (speed: number): number => (speed === Infinity ? 4 : 256)

/**
 * How far times are shifted: by whole minutes, so that calls stay together by the minute, and the last one is at most a
 * minute ago.
 */
export const shiftOf = (lastAt: number, now: number): number => Math.floor((now - lastAt) / MINUTE_MS) * MINUTE_MS

/** Calls that are due together, as events. */
interface Due {
  events: LoadEvent[]
  /**
   * When the first one should go out, on the clock of `performance`. At maximum speed, as soon as a connection is free.
   */
  dueAt: number | undefined
}

/**
 * Sends the calls of a trace as events. Ids depend only on the file, the feature, the seed and the row, so repeating a
 * replay changes nothing, and failed requests can be retried.
 */
export async function runReplay(client: LoadClient, plan: ReplayPlan, tally: Tally, stop: AbortSignal): Promise<void> {
  const gaveUp = new AbortController()
  const halt = AbortSignal.any([stop, gaveUp.signal])
  const cutOff = () => void setTimeout(() => void client.close(), GRACE_MS).unref()
  stop.addEventListener('abort', cutOff, { once: true })
  const due = dueCalls(plan, halt, tally.startedAt)
  const work = async () => {
    for (let next = await due.next(); !next.done; next = await due.next()) {
      if (!(await deliver(client, next.value, tally, halt))) gaveUp.abort()
    }
  }
  try {
    const lanes = Array.from({ length: replayConnections(plan.speed) }, work)
    await Promise.all(lanes)
  } finally {
    stop.removeEventListener('abort', cutOff)
  }
  const missing = plan.trace.calls - plan.trace.empty - tally.sent
  if (missing > 0 && !halt.aborted) throw new CommandError(`${plan.trace.file} changed while it was read`)
  tally.drop(Math.max(0, missing))
}

/** The calls in the order of the file, each when it is due; those due together share a request. */
async function* dueCalls(plan: ReplayPlan, halt: AbortSignal, start: number): AsyncGenerator<Due> {
  const { trace, speed, batch } = plan
  const shift = shiftOf(trace.lastAt, Date.now())
  const prefix = idPrefix('trace', trace.sha256, plan.seed, plan.feature)
  const names = `{"tenant":${JSON.stringify(plan.tenant)},"feature":${JSON.stringify(plan.feature)},"tokens":`
  let events: LoadEvent[] = []
  let dueAt = -Infinity
  let row = 0
  for await (const { at, tokens } of readCalls(trace.file)) {
    row++
    if (tokens === 0) continue
    const callAt = start + (at - trace.firstAt) / speed
    if (events.length > 0 && (events.length === batch || callAt > performance.now())) {
      yield { events, dueAt: speed === Infinity ? undefined : dueAt }
      events = []
    }
    // A call listed after a later one goes out right after it.
    if (events.length === 0) dueAt = Math.max(dueAt, callAt)
    if (callAt > performance.now()) await until(callAt, halt)
    if (halt.aborted) return
    const time = new Date(at + shift).toISOString()
    events.push({ json: `${names}${tokens},"id":"${idOf(prefix, row)}","timestamp":"${time}"}`, tokens })
  }
  if (events.length > 0) yield { events, dueAt: speed === Infinity ? undefined : dueAt }
}

/** Waits until a time on the clock of `performance`, or until the run ends. */
async function until(time: number, halt: AbortSignal): Promise<void> {
  for (let left = time - performance.now(); left > 0 && !halt.aborted; left = time - performance.now()) {
    // In steps, since a timer lasts 24 days at most.
    await sleep(Math.min(left, MINUTE_MS), undefined, { signal: halt }).catch(() => {})
  }
}

/**
 * Retries a request until every event is accepted or refused for good; false if the server can't be reached any more.
 */
async function deliver(client: LoadClient, { events, dueAt }: Due, tally: Tally, halt: AbortSignal): Promise<boolean> {
  const startedAt = dueAt ?? performance.now()
  tally.start(events.length)
  let pending = events
  for (let attempt = 1; ; attempt++) {
    const answer = await new Promise<Answer>((resolve) => client.send(pending, resolve))
    const refusals = judge(answer, pending.length)
    const again = refusals ? pending.filter((_, i) => refusals[i]?.passing) : []
    if (!refusals || again.length === 0 || attempt === TRIES || halt.aborted) {
      tally.settle(pending, refusals, performance.now() - startedAt)
      return again.length === 0
    }
    settlePart(pending, refusals, tally)
    pending = again
    tally.retries++
    await until(performance.now() + pauseMs(attempt, answer.retryAfter), halt)
  }
}

function settlePart(events: LoadEvent[], refusals: (Refusal | undefined)[], tally: Tally): void {
  for (const [i, event] of events.entries()) {
    const refusal = refusals[i]
    if (!refusal) tally.accept(event)
    else if (!refusal.passing) tally.refuse(refusal)
  }
}

/**
 * The pause that the server asks for, or else twice the last one, spread so that waiting requests do not return at
 * once.
 */
export function pauseMs(attempt: number, retryAfter: string | undefined): number {
  const backoff = Math.min(MAX_BACKOFF_MS, 100 * 2 ** attempt) * (0.5 + Math.random() / 2)
  if (retryAfter === undefined) return backoff
  const asked = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now()
  return asked > 0 ? Math.min(MAX_RETRY_AFTER_MS, asked) + Math.random() * 100 : backoff
}
