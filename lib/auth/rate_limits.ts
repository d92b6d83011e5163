import { LRUCache } from 'lru-cache'
import type { RateLimiterRes } from 'rate-limiter-flexible'
import RateLimiterMemory from 'rate-limiter-flexible/lib/RateLimiterMemory.js'
import RateLimiterRedis from 'rate-limiter-flexible/lib/RateLimiterRedis.js'
import type { Config } from '../config.ts'
import { Problem } from '../problem.ts'
import type { Valkey } from '../store/valkey.ts'
import { withCommas } from '../words.ts'

/** A rate is held over so many seconds: after a quiet while, as many seconds' worth may come at once. */
const WINDOW_SECONDS = 10
/**
 * A process takes a hundredth of a window at a time: one round trip for many requests. So much of a limit may stay
 * unused.
 */
const BLOCKS = 100
/** After Valkey has failed, a process counts by itself for this long. */
const ALONE_MS = 5_000
const MAX_HOLDERS = 10_000
/** Wrong keys from one address, per minute. */
const GUESSES = 20
const GUESS_SECONDS = 60

/** Tenants that the events of a key make, within ten minutes (AUTO_CREATE_TENANTS). */
const NEW_TENANTS = 100
const NEW_TENANTS_SECONDS = 600

/** Looks for the name of a tenant that a key may have meant. */
const HINTS = 60
const HINTS_SECONDS = 60

export type LimitKind = 'requests' | 'events' | 'new tenants' | 'hints'

/** So many points within so many seconds. */
interface Window {
  points: number
  seconds: number
}

/** Rates of keys, tenants and addresses. */
export interface RateLimits {
  /**
   * Takes points of a key or a tenant, by its id. A promise only when more must be asked for. Throws Problem
   * rate_limited in it.
   */
  take(kind: LimitKind, holder: string, points: number): Promise<void> | undefined
  /** Counts a wrong key. @throws Problem rate_limited when there were too many from the address */
  guessedWrong(address: string): void
}

/**
 * Opens the limits: shared by all processes through Valkey; without it, or while it is away, each process counts for
 * itself.
 */
export function openRateLimits(
  config: Pick<Config, 'limitRequests' | 'limitEvents'>,
  valkey: Valkey | undefined,
): RateLimits {
  const takes = {
    requests: openLimit('requests', ofRate(config.limitRequests), valkey),
    events: openLimit('events', ofRate(config.limitEvents), valkey),
    'new tenants': openLimit('new tenants', { points: NEW_TENANTS, seconds: NEW_TENANTS_SECONDS }, valkey),
    hints: openLimit('hints', { points: HINTS, seconds: HINTS_SECONDS }, valkey),
  }
  // Bounded, however many addresses somebody has. An entry ends a minute after the first wrong key.
  const guesses = new LRUCache<string, number>({ max: MAX_HOLDERS, ttl: GUESS_SECONDS * 1000, noUpdateTTL: true })
  return {
    take: (kind, holder, points) => takes[kind](holder, points),
    guessedWrong(address) {
      const wrong = (guesses.get(address) ?? 0) + 1
      guesses.set(address, wrong)
      if (wrong > GUESSES) throw refusal('guesses', GUESSES, GUESS_SECONDS, guesses.getRemainingTTL(address))
    },
  }
}

const ofRate = (perSecond: number): Window => ({ points: perSecond * WINDOW_SECONDS, seconds: WINDOW_SECONDS })

/** Points that a holder may still use without asking, until the window ends; and the question on its way. */
interface Allowance {
  points: number
  endsAt: number
  asking?: Promise<void> | undefined
}

type Take = (holder: string, points: number) => Promise<void> | undefined

function openLimit(kind: LimitKind, { points: most, seconds }: Window, valkey: Valkey | undefined): Take {
  if (most === 0) return () => undefined
  const window = { points: most, duration: seconds }
  const here = new RateLimiterMemory(window)
  const everywhere =
    valkey &&
    new RateLimiterRedis({
      ...window,
      storeClient: valkey,
      keyPrefix: `flagmeter:limit:${kind}`,
      inMemoryBlockOnConsumed: window.points, // who is over the limit costs no more round trips
    })
  let aloneUntil = 0
  const block = Math.floor(window.points / BLOCKS) || 1
  const allowances = new LRUCache<string, Allowance>({ max: MAX_HOLDERS })

  function take(holder: string, points: number): Promise<void> | undefined {
    const allowance = allowances.get(holder)
    if (allowance && allowance.points >= points && performance.now() < allowance.endsAt) {
      allowance.points -= points
      return undefined
    }
    return wait(holder, points)
  }

  async function wait(holder: string, points: number): Promise<void> {
    const allowance = allowances.get(holder) ?? { points: 0, endsAt: 0 }
    allowances.set(holder, allowance)
    // One question at a time; who waits tries again with what it brings.
    if (allowance.asking) await allowance.asking.catch(() => {})
    else
      await (allowance.asking = ask(holder, allowance, Math.max(points, block)).finally(
        () => (allowance.asking = undefined),
      ))
    return await take(holder, points)
  }

  async function ask(holder: string, allowance: Allowance, points: number): Promise<void> {
    try {
      const { msBeforeNext } = await consume(holder, points)
      const isOver = performance.now() >= allowance.endsAt
      allowance.points = points + (isOver ? 0 : allowance.points)
      allowance.endsAt = performance.now() + msBeforeNext
    } catch (state) {
      throw state instanceof Error ? state : refusal(kind, most, seconds, (state as RateLimiterRes).msBeforeNext)
    }
  }

  async function consume(holder: string, points: number): Promise<RateLimiterRes> {
    if (everywhere && performance.now() >= aloneUntil) {
      try {
        return await everywhere.consume(holder, points)
      } catch (state) {
        if (!(state instanceof Error)) throw state
        // Valkey is away: better to count alone than to wait for it again and again
        aloneUntil = performance.now() + ALONE_MS
      }
    }
    return await here.consume(holder, points)
  }

  return take
}

/** RateLimit and RateLimit-Policy as draft-ietf-httpapi-ratelimit-headers (10) has them; Retry-After of RFC 9110. */
function refusal(name: string, quota: number, seconds: number, waitMs: number): Problem {
  const wait = Math.max(1, Math.ceil(waitMs / 1000))
  return new Problem(
    'rate_limited',
    { detail: `at most ${withCommas(quota)} ${name} in ${seconds} seconds; try again in ${wait} seconds` },
    {
      'retry-after': String(wait),
      'ratelimit-policy': `"${name}";q=${quota};w=${seconds}`,
      ratelimit: `"${name}";r=0;t=${wait}`,
    },
  )
}
