import { setTimeout as sleep } from 'node:timers/promises'
import { settledBeforeSent, thresholdBySum } from './_mutants.ts'
import type { Account } from './_ledger.ts'
import type { Process } from './_process.ts'
import { type Receiver, openReceiver } from './_receiver.ts'
import type { Rig } from './_rig.ts'
import type { Experiment } from './_run.ts'

const KILLS = 50
const BRIEF_KILLS = 10
const QUOTA = 60_000
const THRESHOLDS = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
const TENANTS = Array.from({ length: 60 }, (_, i) => ({
  name: `tenant-${i}`,
  monthlyQuota: QUOTA,
  thresholds: THRESHOLDS,
  // Far from today, so that no event falls into a past period, which raises no alerts.
  billingDay: ((new Date().getUTCDate() + 13) % 28) + 1,
}))
const WEBHOOKS = 2

const receivers = new WeakMap<Rig, Receiver>()

/** The sender is killed while the receiver has a message, or just answered it; workers are killed in between. */
export const alertDeliveries: Experiment = {
  name: '8 kill the sender of alerts',
  unit: 'kills',
  mutants: [thresholdBySum, settledBeforeSent],
  tenants: TENANTS,
  load: { senders: 12, features: 30, spreadMs: 1_000, pauseMs: 5 },
  async harm({ rig, send, brief }) {
    const { random } = rig
    const receiver = await openReceiver()
    receivers.set(rig, receiver)
    rig.releases.push(() => receiver.release())
    await addWebhooks(rig, receiver.url)
    await rig.serve()
    const work = () => rig.work(['rollup'], { WORKER_CONCURRENCY: '8' }) // crossings race
    const workers = [work(), work()]
    send()
    for (const kills = brief ? BRIEF_KILLS : KILLS; rig.faults < kills; rig.faults++) {
      await killSender(rig, receiver)
      if (random.below(3) > 0) continue
      const index = random.below(workers.length)
      await workers[index]!.kill()
      workers[index] = work()
    }
    for (const worker of workers) await worker.kill()
    receiver.onMessage = (answer) => void answer.end()
  },
  async check(rig, account) {
    const receiver = receivers.get(rig)!
    const messages = [...receiver.received.values()].reduce((sum, count) => sum + count, 0)
    rig.notes.push(`${receiver.received.size} deliveries, ${messages} messages received`)
    rig.wrong.push(...(await checkAlerts(rig, account)), ...(await checkDeliveries(rig, receiver)))
  },
}

async function addWebhooks(rig: Rig, url: string): Promise<void> {
  await rig.database`
    insert into webhooks (tenant_id, kind, url, host, secret, enabled)
    select id, 'standard', ${url}, ${new URL(url).host}, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', true
    from tenants, generate_series(1, ${WEBHOOKS}::int)`
}

/** Kills a sender when the receiver has a message: before its answer, or right after it. */
async function killSender(rig: Rig, receiver: Receiver): Promise<void> {
  const { random } = rig
  let passes = random.below(8)
  const sender: Process = rig.work(['deliver'])
  receiver.onMessage = (answer) => {
    if (passes-- > 0) {
      if (random.below(5) === 0) answer.statusCode = 503
      answer.end()
    } else if (random.below(2) === 0) sender.signal('SIGKILL')
    else answer.end(() => sender.signal('SIGKILL'))
  }
  // If nothing is left to send, any moment will do.
  await Promise.race([sender.ended, sleep(3_000)])
  await sender.kill()
  // It is dead, and its claims would expire after 20 seconds: no need to wait for that.
  await rig.database`update deliveries set next_attempt_at = now() where status = 'sending'`
}

/** One alert for each threshold that a tenant has reached, and no others. */
async function checkAlerts(rig: Rig, { sent }: Account): Promise<string[]> {
  const used = new Map<string, number>()
  for (const { tenantId, tokens } of sent.values()) used.set(tenantId, (used.get(tenantId) ?? 0) + tokens)
  const expected = new Set(
    [...used].flatMap(([tenant, tokens]) =>
      THRESHOLDS.filter((threshold) => tokens * 100 >= QUOTA * threshold).map((threshold) => `${tenant} ${threshold}`),
    ),
  )
  const rows = await rig.database<{ name: string }[]>`select tenant_id || ' ' || threshold as name from alerts`
  const raised = new Set(rows.map(({ name }) => name))
  return told({
    'alerts missing': [...expected].filter((name) => !raised.has(name)).length,
    'alerts for nothing': [...raised].filter((name) => !expected.has(name)).length,
    'alerts twice': rows.length - raised.size,
  })
}

/** Each alert, for each webhook: once in the outbox, delivered, and at the receiver at least once. */
async function checkDeliveries(rig: Rig, { received }: Receiver): Promise<string[]> {
  const rows = await rig.database<{ id: string; pair: string; status: string }[]>`
    select id, alert_id || ' ' || webhook_id as pair, status from deliveries`
  const [alerts] = await rig.database<{ count: number }[]>`select count(*)::int as count from alerts`
  const ids = new Set(rows.map(({ id }) => id))
  return told({
    'deliveries missing': alerts!.count * WEBHOOKS - rows.length,
    'deliveries twice': rows.length - new Set(rows.map(({ pair }) => pair)).size,
    'not delivered': rows.filter(({ status }) => status !== 'delivered').length,
    'deliveries never received': [...ids].filter((id) => !received.has(id)).length,
    'messages from nowhere': [...received.keys()].filter((id) => !ids.has(id)).length,
  })
}

const told = (counts: Record<string, number>): string[] =>
  Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]))
