import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { post } from './_client.ts'
import type { Ledger, SentEvent } from './_ledger.ts'
import { ackBeforeCommit, anewWithOtherIds, failedIsAccepted } from './_mutants.ts'
import type { Rig } from './_rig.ts'
import type { Experiment } from './_run.ts'

const FROZEN_MS = 60_000
const BRIEF_MS = 20_000
/** The longest that any answer may take, whatever it is. */
const LONGEST_ANSWER_MS = 5_000
/** How long a probe waits for an answer, so that it can measure late ones. */
const PATIENCE_MS = 90_000
const PROBE_EVERY_MS = 1_000

/** For a minute PostgreSQL accepts connections and statements but answers nothing; then it continues. */
export const postgresFrozen: Experiment = {
  name: '9 PostgreSQL frozen for a minute',
  unit: 'freezes',
  mutants: [ackBeforeCommit, failedIsAccepted, anewWithOtherIds],
  needs: () => (process.platform === 'linux' ? undefined : 'needs Linux'),
  load: { pauseMs: 20 },
  async harm({ rig, stage, ledger, send, accepted, brief }) {
    await rig.serve()
    await rig.serve({ VALKEY_URL: '' }, 1)
    const [throughValkey, straight] = rig.load.urls.map((url) => openProbe(rig, ledger, url))
    let worker = rig.work(['rollup'])
    send()
    await sleep(2_000)
    await stage.freezePostgres()
    const before = accepted()
    const probing = [throughValkey!.start(), straight!.start()]
    try {
      await sleep((brief ? BRIEF_MS : FROZEN_MS) / 2)
      // Operators kill what hangs.
      await worker.kill()
      worker = rig.work(['rollup'])
      await sleep((brief ? BRIEF_MS : FROZEN_MS) / 2)
    } finally {
      stage.thawPostgres()
      rig.faults++
    }
    if (accepted() === before) rig.wrong.push('no event was accepted while PostgreSQL was frozen')
    throughValkey!.thawed()
    straight!.thawed()
    await Promise.all(probing)
    tell(rig, 'through Valkey', throughValkey!)
    tell(rig, 'straight to PostgreSQL', straight!)
    if (throughValkey!.statuses.size > 1)
      rig.wrong.push(`through Valkey, events were answered ${[...throughValkey!.statuses.keys()].join(', ')}`)
    worker.signal('SIGTERM')
    await worker.ended
  },
  async check(rig) {
    const [row] = await rig.database<{ count: number }[]>`select count(*)::int as count from dead_letters`
    if (row!.count > 0) rig.wrong.push(`${row!.count} valid events became dead letters`)
  },
}

/** Sends one event a second, and measures how long each answer takes. */
interface Probe {
  /** Resolves once `thawed` has been called and everything it sent is accepted. */
  start(): Promise<void>
  thawed(): void
  slowestMs: number
  /** From the thaw to the first event that was accepted; Infinity: not yet. */
  backMs: number
  /** How often each status came while PostgreSQL was frozen. */
  statuses: Map<number, number>
}

function openProbe(rig: Rig, ledger: Ledger, url: string): Probe {
  let thawedAt: number | undefined
  const tenant = rig.load.tenants[0]!

  async function ask(): Promise<void> {
    const event = { id: randomUUID(), feature: 'probe', tokens: 1, createdAt: Date.now() }
    const body = JSON.stringify({
      tenant: tenant.name,
      id: event.id,
      feature: event.feature,
      tokens: 1,
      timestamp: new Date(event.createdAt).toISOString(),
    })
    const sent: SentEvent = { ...event, tenantId: tenant.id }
    const request = await ledger.sent([sent])
    for (let status = 0; status !== 201; await sleep(status === 201 ? 0 : 250)) {
      const wasFrozen = thawedAt === undefined
      const at = performance.now()
      status = await post(url, rig.load.key, body, PATIENCE_MS)
      const now = performance.now()
      await ledger.answered(request, status)
      probe.slowestMs = Math.max(probe.slowestMs, now - at)
      if (wasFrozen) probe.statuses.set(status, (probe.statuses.get(status) ?? 0) + 1)
      if (status === 201 && thawedAt !== undefined) probe.backMs = Math.min(probe.backMs, now - thawedAt)
    }
  }

  const probe: Probe = {
    slowestMs: 0,
    backMs: Infinity,
    statuses: new Map(),
    thawed: () => void (thawedAt = performance.now()),
    async start() {
      const asking: Promise<void>[] = []
      for (; thawedAt === undefined; await sleep(PROBE_EVERY_MS)) asking.push(ask())
      await Promise.all([...asking, ask()])
    },
  }
  return probe
}

function tell(rig: Rig, way: string, { slowestMs, backMs, statuses }: Probe): void {
  const [slowest, back] = [slowestMs, backMs].map((ms) => (ms / 1000).toFixed(1))
  const answers = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')
  rig.notes.push(`${way}: ${answers}; the slowest answer took ${slowest} s; accepted again after ${back} s`)
  if (slowestMs > LONGEST_ANSWER_MS) rig.wrong.push(`${way}, an answer took more than ${LONGEST_ANSWER_MS / 1000} s`)
}
