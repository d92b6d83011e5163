import { setTimeout as sleep } from 'node:timers/promises'
import { noDedupe, onlyHeldSettles, streamIsForgotten } from './_mutants.ts'
import { QUOTA, type Reserver, TTL_SECONDS, startReserver } from './_reservations.ts'
import type { Rig } from './_rig.ts'
import type { Experiment, Scene } from './_run.ts'

const TTL_MS = TTL_SECONDS * 1000
/** At first some settle straight to PostgreSQL; then all forget, and the quotas fill with holds that must expire. */
const SETTLING_MS = 5_000
/** By then holds have lapsed and others have their tokens: half a minute's grace, and the time to notice. */
const LAPSE_MS = 45_000
const FULL_MS = 30_000
const SENDERS = 25

const reservers = new WeakMap<Rig, Reserver>()

/** No worker for a while, then Valkey is down for longer than holds last, with settlements waiting in it. */
export const valkeyAway: Experiment = {
  name: '12 Valkey away longer than a hold',
  unit: 'outages',
  mutants: [streamIsForgotten, noDedupe, onlyHeldSettles],
  tenants: ['one', 'two'].map((name) => ({ name, monthlyQuota: QUOTA })),
  async harm(scene) {
    const { rig, ledger, brief } = scene
    await rig.serve()
    const lapsing = rig.work(['lapse'])
    const reserver = startReserver(rig, ledger, SENDERS)
    reservers.set(rig, reserver)
    const watching = new AbortController()
    const watched = watch(rig, watching.signal)
    try {
      let worker = rig.work(['rollup'])
      await untilFull(rig, reserver)
      await worker.kill()
      // No worker: settlements wait longer than their holds last. Valkey is up, so they keep their holds.
      await leaveWaiting(scene, reserver)
      await sleep(TTL_MS)
      await untilFull(rig, reserver)
      worker = rig.work(['rollup'])
      await sleep(TTL_MS)
      await untilFull(rig, reserver)
      await worker.kill()
      await leaveWaiting(scene, reserver, () => rig.killValkey())
      // These may exceed a quota: nobody can see them, and new requests must not wait forever.
      for (const [tenantId, tokens] of await findWaiting(rig, reserver)) reserver.allow(tenantId, tokens)
      reserver.releases = true
      const awayAt = performance.now()
      await sleep(SETTLING_MS)
      if (!brief) await waitForLapse(rig, reserver, awayAt)
      await rig.startValkey()
      worker = rig.work(['rollup'])
      await sleep(2 * TTL_MS)
      await reserver.stop()
      await worker.kill()
    } finally {
      watching.abort()
      await watched
      await lapsing.kill()
      await reserver.stop().catch((error: Error) => rig.wrong.push(error.message))
    }
    rig.notes.push(`${reserver.grants} reservations, ${reserver.settlements} settlements answered 200`)
  },
  async check(rig) {
    rig.wrong.push(...(await findOverbooked(rig)))
  },
}

/** Sends settlements while PostgreSQL is down: they go into the stream even where PostgreSQL comes first. */
async function leaveWaiting({ rig, stage }: Scene, reserver: Reserver, meanwhile?: () => Promise<void>): Promise<void> {
  await stage.crashPostgres()
  reserver.usesAll = true
  await sleep(TTL_MS - 500)
  reserver.usesAll = false
  await meanwhile?.()
  await stage.startPostgres()
  rig.faults++
}

/** This many refusals show that there is no room. */
async function untilFull(rig: Rig, { refusals }: Reserver): Promise<void> {
  refusals.clear()
  for (const end = Date.now() + FULL_MS; Date.now() < end; await sleep(50))
    if (rig.load.tenants.every(({ id }) => (refusals.get(id) ?? 0) > 2 * SENDERS)) return
  throw new Error(`the quotas are not full within ${FULL_MS} ms`)
}

/** The tokens of settlements that were answered but not yet counted, by tenant. */
async function findWaiting({ database }: Rig, { settled }: Reserver): Promise<Map<string, number>> {
  const rows = await database<{ id: string }[]>`select id from events`
  const counted = new Set(rows.map(({ id }) => id))
  const waiting = new Map<string, number>()
  for (const [id, { tenantId, tokens }] of settled)
    if (!counted.has(id)) waiting.set(tenantId, (waiting.get(tenantId) ?? 0) + tokens)
  return waiting
}

/** Waits until other holds of every tenant have lapsed and somebody has got the tokens. */
async function waitForLapse(rig: Rig, reserver: Reserver, awayAt: number): Promise<void> {
  reserver.forgets = true
  await sleep(TTL_MS)
  const stuckAt = performance.now()
  const after = (at: number) => Math.round((at - awayAt) / 1000)
  await sleep(LAPSE_MS - SETTLING_MS - TTL_MS)
  reserver.forgets = false
  for (const { id, name } of rig.load.tenants) {
    const grantedAt = reserver.grantedAt.get(id) ?? 0
    rig.notes.push(`the last reservation of '${name}' while Valkey was away came after ${after(grantedAt)} s`)
    if (grantedAt < stuckAt + TTL_MS)
      rig.wrong.push(`no hold of '${name}' lapsed while Valkey was away for ${after(performance.now())} s`)
  }
}

/** Keeps checking whether more is held and used than a hard quota allows. */
async function watch(rig: Rig, stop: AbortSignal): Promise<void> {
  const found = new Set<string>()
  while (!stop.aborted) {
    // PostgreSQL is down now and then.
    for (const line of await findOverbooked(rig).catch(() => [])) found.add(line)
    await sleep(100)
  }
  rig.wrong.push(...found)
}

async function findOverbooked(rig: Rig): Promise<string[]> {
  const rows = await rig.database<{ id: string; name: string; beyond: number }[]>`
    select t.id, t.name, (u.total_tokens + u.reserved_tokens - t.monthly_quota)::bigint as beyond
    from usage_periods u join tenants t on t.id = u.tenant_id and u.quota_id = t.id
    where u.total_tokens + u.reserved_tokens > t.monthly_quota`
  return rows
    .filter(({ id, beyond }) => beyond > (reservers.get(rig)?.beyond.get(id) ?? 0))
    .map(({ name }) => `'${name}' is overbooked`)
}
