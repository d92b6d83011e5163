import { setTimeout as sleep } from 'node:timers/promises'
import { eventId } from '../../lib/events/event_id.ts'
import type { Random } from '../_random.ts'
import type { Ledger, SentEvent } from './_ledger.ts'

/** Longer than a write to Valkey that times out plus the write to PostgreSQL that follows it. */
const ANSWER_MS = 8_000
/** Once the stores are back, an answer comes within seconds. */
const LAST_ANSWER_MS = 60_000

/** Where to send, and what. */
export interface Load {
  /** The API processes; each request goes to one of them. */
  urls: string[]
  key: string
  tenants: { id: string; name: string }[]
  features: number
  /** Batches at once. */
  senders: number
  maxBatch: number
  maxTokens: number
  /** Between two batches of one sender. */
  pauseMs: number
  /** How far back an event's time may be. */
  spreadMs: number
}

/** A client that never gives up: it resends a request, with the same ids, until its outcome is known. */
export interface Client {
  accepted: () => number
  /** Stops once every batch that was begun is answered. @throws Error if one never is, or is refused */
  stop(): Promise<void>
}

/** Starts sending, and records everything in the ledger. */
export function startClient(load: Load, ledger: Ledger, random: Random): Client {
  let accepted = 0
  let stoppedAt = Infinity
  let number = 0

  function makeBatch(): { body: string; events: SentEvent[] } {
    const inputs = Array.from({ length: 1 + random.below(load.maxBatch) }, () => {
      const tenant = random.pick(load.tenants)
      // Some ids are UUIDs, which stay as they are; the others become UUIDs in the tenant's namespace.
      const id = random.below(3) === 0 ? `call-${random.seed}-${number++}` : uuid(random)
      const createdAt = Date.now() - random.below(load.spreadMs)
      return {
        tenant,
        id,
        feature: `f${random.below(load.features)}`,
        tokens: 1 + random.below(load.maxTokens),
        createdAt,
      }
    })
    return {
      body: JSON.stringify(
        inputs.map(({ tenant, createdAt, ...input }) => ({
          ...input,
          tenant: tenant.name,
          timestamp: new Date(createdAt).toISOString(),
        })),
      ),
      events: inputs.map(({ tenant, ...input }) => ({
        ...input,
        tenantId: tenant.id,
        id: eventId(tenant.id, input.id),
      })),
    }
  }

  async function send(): Promise<void> {
    while (stoppedAt === Infinity) {
      const { body, events } = makeBatch()
      const request = await ledger.sent(events)
      for (let status = 0; status !== 201;) {
        status = await post(random.pick(load.urls), load.key, body)
        await ledger.answered(request, status)
        if (status === 201) break
        if (status !== 0 && status < 500) throw new Error(`a valid batch was answered ${status}`)
        if (Date.now() - stoppedAt > LAST_ANSWER_MS) throw new Error(`a batch was not accepted: ${status}`)
        await sleep(30)
      }
      accepted += events.length
      await sleep(load.pauseMs)
    }
  }

  const senders = Promise.all(Array.from({ length: load.senders }, send))
  senders.catch(() => {}) // `stop` reports it
  return {
    accepted: () => accepted,
    async stop() {
      stoppedAt = Date.now()
      await senders
    },
  }
}

/** The status of the answer; 0: none came within `withinMs`. */
export async function post(url: string, key: string, body: string, withinMs = ANSWER_MS): Promise<number> {
  try {
    const answer = await fetch(`${url}/api/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(withinMs),
    })
    await answer.arrayBuffer()
    return answer.status
  } catch {
    return 0
  }
}

/** A UUID of the seeded generator, so that a run can be repeated. */
function uuid(random: Random): string {
  const hex = Array.from({ length: 4 }, () =>
    random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}
