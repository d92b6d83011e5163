import { createHash } from 'node:crypto'
import { type LoadClient, type LoadEvent, TIMEOUT_MS, judge } from './client.ts'
import type { Tally } from './tally.ts'

/** At most this many open requests. */
export const SYNTHETIC_CONNECTIONS = 256
/** How long a stopped run waits for open requests. */
export const GRACE_MS = 2_000

export interface SyntheticPlan {
  /** Requests per second. */
  rps: number
  durationMs: number
  tenants: string[]
  features: string[]
  /** Events per request. */
  batch: number
  tokens: { min: number; max: number }
  seed: number
}

/**
 * The first 20 digits of the ids of one run; the rest is the number of the event. A UUIDv8 (RFC 9562): ids in the order
 * of events keep their index compact, random ones do not.
 */
export function idPrefix(...parts: unknown[]): string {
  const hex = createHash('sha256').update(JSON.stringify(parts)).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-`
}

/** The id of event number `n`. */
export const idOf = (prefix: string, n: number): string => prefix + n.toString(16).padStart(12, '0')

/**
 * Event number `n`. It depends on the seed and `n` alone, so a run with the same seed sends the same events, regardless
 * of pace, batches, answers and dropped events.
 */
export function syntheticEvents(plan: SyntheticPlan): (n: number) => LoadEvent {
  const { tenants, features, tokens, seed } = plan
  const prefix = idPrefix('synthetic', seed, tenants, features, tokens)
  const random = randomFrom(Number.parseInt(prefix.slice(0, 8), 16))
  const tenantJson = tenants.map((tenant) => `{"tenant":${JSON.stringify(tenant)}`)
  const featureJson = features.map((feature) => `,"feature":${JSON.stringify(feature)},"tokens":`)
  return (n) => {
    const amount = tokens.min + Math.floor(random(3 * n) * (tokens.max - tokens.min + 1))
    const tenant = tenantJson[Math.floor(random(3 * n + 1) * tenantJson.length)]!
    const feature = featureJson[Math.floor(random(3 * n + 2) * featureJson.length)]!
    return { json: `${tenant}${feature}${amount},"id":"${idOf(prefix, n)}"}`, tokens: amount }
  }
}

/** Mulberry32, whose only state is a counter: the number at any position, from 0 up to 1. */
const randomFrom = (seed: number) => (position: number) => {
  let x = (seed + Math.imul(position + 1, 0x6d2b79f5)) | 0
  x = Math.imul(x ^ (x >>> 15), x | 1)
  x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
  return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32
}

/**
 * Sends requests by the clock, however fast the answers come (open loop). Latency counts from the scheduled time, so a
 * stall of the server delays every request that was due meanwhile, as it would for real callers. No queue builds up in
 * memory: waiting requests are just the numbers from `next` to `due`.
 */
export function runSynthetic(client: LoadClient, plan: SyntheticPlan, tally: Tally, stop: AbortSignal): Promise<void> {
  const { rps, batch, durationMs } = plan
  const total = Math.max(1, Math.round((rps * durationMs) / 1000))
  const event = syntheticEvents(plan)
  const start = tally.startedAt
  const scheduledAt = (n: number) => start + (n * 1000) / rps
  let next = 0 // the first request that has not gone out
  let end = total // where arrivals stop
  let pumping = false
  let finished = false
  let timer: NodeJS.Timeout | undefined

  return new Promise((resolve) => {
    /** Sends all that are due: the timer may be late, but the schedule is not. */
    function pump(): void {
      if (pumping) return // an answer arrived while sending, such as a refused connection
      pumping = true
      let now = performance.now()
      while (next < end && scheduledAt(next) <= now) {
        if (now - scheduledAt(next) > TIMEOUT_MS) tally.drop(batch, now - scheduledAt(next))
        else if (tally.inFlight < SYNTHETIC_CONNECTIONS) send(next)
        else break
        next++
        now = performance.now()
      }
      pumping = false
      if (next === end && tally.inFlight === 0) finish()
    }

    function tick(): void {
      pump()
      if (finished) return
      if (next < end) timer = setTimeout(tick, Math.max(1, scheduledAt(next) - performance.now()))
      // The last answers. A body that drips would get past every other time-out.
      else timer = setTimeout(() => void client.close(), 2 * TIMEOUT_MS)
    }

    function send(n: number): void {
      const events = Array.from({ length: batch }, (_, i) => event(n * batch + i))
      tally.start(batch)
      client.send(events, (answer) => {
        tally.settle(events, judge(answer, batch), performance.now() - scheduledAt(n))
        pump()
      })
    }

    function halt(): void {
      const due = Math.min(end, Math.floor(((performance.now() - start) * rps) / 1000) + 1)
      if (due > next) tally.drop((due - next) * batch)
      end = next
      setTimeout(() => void client.close(), GRACE_MS).unref()
      pump()
    }

    function finish(): void {
      finished = true
      clearTimeout(timer)
      stop.removeEventListener('abort', halt)
      resolve()
    }

    stop.addEventListener('abort', halt, { once: true })
    if (stop.aborted) halt()
    else tick()
  })
}
