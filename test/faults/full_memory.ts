import { setTimeout as sleep } from 'node:timers/promises'
import { refusedIsAccepted, valkeyWith } from './_mutants.ts'
import type { Rig } from './_rig.ts'
import type { Experiment } from './_run.ts'

const TIMES = 4
const BRIEF_TIMES = 1
const ROOM_BYTES = 2 * 1024 * 1024
const WAIT_MS = 30_000

/** Valkey's memory fills up without a worker, at first without even a consumer group; then a worker starts. */
export const fullMemory: Experiment = {
  name: '6 memory of Valkey full',
  unit: 'times',
  mutants: [refusedIsAccepted, valkeyWith('maxmemory-policy', 'allkeys-lru')],
  load: { senders: 8, pauseMs: 0 },
  async harm({ rig, send, brief }) {
    const used = Number(/used_memory:(\d+)/.exec(await rig.redis.info('memory'))![1])
    await rig.redis.config('SET', 'maxmemory', used + ROOM_BYTES)
    await rig.serve()
    send()
    for (const times = brief ? BRIEF_TIMES : TIMES; rig.faults < times; rig.faults++) {
      const before = await refusals(rig)
      await waitFor('Valkey refuses events', async () => (await refusals(rig)) > before, brief)
      await fillUp(rig)
      await sleep(2_500) // the API goes to PostgreSQL instead, then tries Valkey again
      const worker = rig.work(['rollup'])
      await waitFor('the worker makes room', async () => (await rig.redis.xlen('events')) < 50, brief)
      await worker.kill()
      await rig.redis.del('filling')
    }
  },
}

/** How often it refused a command for lack of memory. */
const refusals = async (rig: Rig): Promise<number> =>
  Number(/errorstat_OOM:count=(\d+)/.exec(await rig.redis.info('errorstats'))?.[1] ?? 0)

/** Takes what is left, down to what the smallest command needs: an entry that was refused may have been a large one. */
async function fillUp(rig: Rig): Promise<void> {
  const full = (error: Error) => /OOM/.test(error.message)
  for (let bytes = 0, isFull = false; !isFull && bytes < ROOM_BYTES; bytes += 100)
    isFull = await rig.redis.append('filling', 'x'.repeat(100)).then(() => false, full)
}

/** A mutant may never get there: it is caught by what it has lost. */
async function waitFor(what: string, condition: () => Promise<boolean>, brief: boolean): Promise<void> {
  const end = Date.now() + (brief ? WAIT_MS / 5 : WAIT_MS)
  while (!(await condition())) {
    if (Date.now() > end && brief) return
    if (Date.now() > end) throw new Error(`not within ${WAIT_MS} ms: ${what}`)
    await sleep(20)
  }
}
