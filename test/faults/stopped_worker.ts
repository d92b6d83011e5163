import { setTimeout as sleep } from 'node:timers/promises'
import { noDedupe, poisonTakesAll } from './_mutants.ts'
import { addPoison, checkPoison } from './_poison.ts'
import { CLAIM_IDLE_MS, type Rig } from './_rig.ts'
import type { Experiment } from './_run.ts'
import { openValkeyProxy } from './_valkey_proxy.ts'

const STOPS = 30
const BRIEF_STOPS = 6
const REACH_MS = 30_000

/** Workers stopped in mid-batch until others have taken it over, then woken; with poison among the events. */
export const stoppedWorker: Experiment = {
  name: '7 worker stopped past its claim, poison',
  unit: 'stops',
  mutants: [noDedupe, poisonTakesAll],
  async harm({ rig, ledger, send, brief }) {
    await rig.serve()
    const steady = rig.work(['rollup'])
    send()
    const done = new AbortController()
    const poisoning = addPoison(rig, ledger, done.signal)
    const stops = brief ? BRIEF_STOPS : STOPS
    await Promise.all([stopAndWake(rig, stops), stopAndWake(rig, stops)]).finally(() => done.abort())
    await poisoning
    await sleep(2 * CLAIM_IDLE_MS)
    await steady.kill()
  },
  check: checkPoison,
}

/** One worker that is stopped repeatedly. */
async function stopAndWake(rig: Rig, stops: number): Promise<void> {
  let stop: (() => void) | undefined
  const proxy = await openValkeyProxy(rig.valkeyPort, {
    onReply(name, _args, reply) {
      // First stopped, then handed the entries: it finds them when it wakes.
      if (name === 'xreadgroup' && reply !== null) stop?.()
      return true
    },
  })
  rig.releases.push(() => proxy.release())
  const worker = rig.work(['rollup'], { VALKEY_URL: proxy.url })
  while (rig.faults < stops) {
    const stopped = new Promise<true>((resolve) => {
      stop = () => {
        worker.signal('SIGSTOP')
        stop = undefined
        resolve(true)
      }
    })
    if (!(await Promise.race([stopped, sleep(REACH_MS)]))) throw new Error('the worker got nothing to do')
    await sleep(2 * CLAIM_IDLE_MS + rig.random.below(2 * CLAIM_IDLE_MS))
    worker.signal('SIGCONT')
    rig.faults++
    await sleep(rig.random.below(300))
  }
  await worker.kill()
}
