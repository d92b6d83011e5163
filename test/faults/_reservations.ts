import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Reservation, readReservationId } from '../../lib/quota/reservation.ts'
import type { Ledger } from './_ledger.ts'
import type { Rig } from './_rig.ts'

const ANSWER_MS = 8_000
const LAST_ANSWER_MS = 60_000
export const TTL_SECONDS = 3
/** Some fifty holds fill a quota, small ones to the last token; settling them uses little of it. */
export const QUOTA = 20_000
const MOST_HELD = 800
const MOST_USED = 20
/** No settlement is sent this shortly before its hold ends. */
const MARGIN_MS = 1_000

/** Clients that reserve and then settle in time, sometimes twice, or forget. */
export interface Reserver {
  /** When a reservation too large for a full quota was last granted, by tenant; on the monotonic clock. */
  grantedAt: Map<string, number>
  grants: number
  settlements: number
  /** How often each tenant had no room. */
  refusals: Map<string, number>
  /** What was settled, by the id of its event. */
  settled: Map<string, { tenantId: string; tokens: number }>
  /** Tokens by which a tenant may exceed its quota: used, but settled too late or not visible to anyone. */
  beyond: Map<string, number>
  allow(tenantId: string, tokens: number): void
  /** Whether they also release what they have settled, newest first, like a client that takes slow for lost. */
  releases: boolean
  /** Whether they use everything they hold, or only a little. */
  usesAll: boolean
  /** Whether they forget every hold, or only half. */
  forgets: boolean
  /** @throws Error if a settlement is never accepted, or is refused */
  stop(): Promise<void>
}

/** Starts `senders` clients per tenant. Settlements are in the ledger as events. */
export function startReserver(rig: Rig, ledger: Ledger, senders: number): Reserver {
  const { random } = rig
  const headers = { authorization: `Bearer ${rig.load.key}`, 'content-type': 'application/json' }
  let stoppedAt = Infinity

  async function post(
    path: string,
    body: object,
    key?: string,
  ): Promise<{ status: number; id: string; expiresAt: number }> {
    try {
      const answer = await fetch(`${rig.load.urls[0]}/api/reservations${path}`, {
        method: 'POST',
        headers: { ...headers, ...(key !== undefined && { 'idempotency-key': key }) },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_MS),
      })
      const { id, expiresAt } = (await answer.json()) as { id: string; expiresAt: string }
      return { status: answer.status, id, expiresAt: Date.parse(expiresAt) }
    } catch {
      return { status: 0, id: '', expiresAt: 0 }
    }
  }

  /** Retries until it is accepted. */
  async function settle(id: string, reservation: Reservation, tokens: number, expiresAt: number): Promise<void> {
    const request = await ledger.sent([{ ...reservation, tokens }])
    for (let status = 0; status !== 200; await sleep(30)) {
      ;({ status } = await post(`/${id}/settle`, { tokens }))
      await ledger.answered(request, status === 200 ? 201 : status)
      if (status !== 0 && status !== 200 && status < 500) throw new Error(`a settlement was answered ${status}`)
      if (Date.now() - stoppedAt > LAST_ANSWER_MS) throw new Error(`a settlement was not accepted: ${status}`)
    }
    reserver.settlements++
    if (Date.now() > expiresAt) allow(reservation.tenantId, tokens)
    reserver.settled.set(reservation.id, { tenantId: reservation.tenantId, tokens })
  }

  async function reserveAndSettle(tenant: { id: string; name: string }): Promise<void> {
    const again: (() => Promise<unknown>)[] = []
    const settled: string[] = []
    while (stoppedAt === Infinity) {
      await sleep(10 + random.below(40))
      const held = 1 + random.below(MOST_HELD)
      const body = { tenant: tenant.name, feature: `f${random.below(2)}`, tokens: held, ttlSeconds: TTL_SECONDS }
      const { status, id, expiresAt } = await post('', body, randomUUID())
      if (status !== 0 && status !== 201 && status !== 409 && status < 500)
        throw new Error(`a reservation was answered ${status}`)
      if (status === 409) reserver.refusals.set(tenant.id, (reserver.refusals.get(tenant.id) ?? 0) + 1)
      if (status !== 201) {
        await again.pop()?.() // perhaps into another store than the first time
        if (reserver.releases && settled.length > 0) await post(`/${settled.pop()}/release`, {})
        continue
      }
      reserver.grants++
      if (held > MOST_HELD / 4) reserver.grantedAt.set(tenant.id, performance.now())
      if (reserver.forgets || random.below(2) > 0) continue // forgotten
      await sleep(random.below(TTL_SECONDS * 1000))
      if (Date.now() > expiresAt - MARGIN_MS) continue
      const reservation = readReservationId(id)!
      const tokens = reserver.usesAll ? held : 1 + random.below(Math.min(held, MOST_USED))
      await settle(id, reservation, tokens, expiresAt)
      settled.push(id)
      if (random.below(3) === 0) again.push(() => settle(id, reservation, tokens, Infinity))
    }
    for (const work of again) await work()
  }

  const allow = (tenantId: string, tokens: number) =>
    void reserver.beyond.set(tenantId, (reserver.beyond.get(tenantId) ?? 0) + tokens)

  const reserver: Reserver = {
    grantedAt: new Map(),
    grants: 0,
    settlements: 0,
    refusals: new Map(),
    settled: new Map(),
    beyond: new Map(),
    allow,
    releases: false,
    usesAll: false,
    forgets: false,
    async stop() {
      stoppedAt = Date.now()
      await all
    },
  }
  const all = Promise.all(
    rig.load.tenants.flatMap((tenant) => Array.from({ length: senders }, () => reserveAndSettle(tenant))),
  )
  all.catch(() => {}) // `stop` reports it
  return reserver
}
