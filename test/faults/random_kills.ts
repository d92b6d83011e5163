import { setTimeout as sleep } from 'node:timers/promises'
import { noDedupe } from './_mutants.ts'
import type { Process } from './_process.ts'
import type { Experiment } from './_run.ts'

const KILLS = 60
const BRIEF_KILLS = 25

/** SIGKILL of one of two API processes, of one of two workers, or of Valkey, at random. */
export const randomKills: Experiment = {
  name: '2 kill API, worker, Valkey at random',
  unit: 'kills',
  mutants: [noDedupe],
  load: { senders: 6 },
  async harm({ rig, send, brief }) {
    const { random } = rig
    const apis = [await rig.serve({}, 0), await rig.serve({}, 1)]
    const workers: Process[] = [rig.work(['rollup']), rig.work(['rollup'])]
    send()
    for (const kills = brief ? BRIEF_KILLS : KILLS; rig.faults < kills; rig.faults++) {
      await sleep(random.below(500))
      const target = random.pick(['api', 'worker', 'worker', 'valkey'] as const)
      const downMs = random.below(400)
      if (target === 'api') {
        const index = random.below(apis.length)
        await apis[index]!.kill()
        await sleep(downMs)
        apis[index] = await rig.serve({}, index)
      } else if (target === 'worker') {
        const index = random.below(workers.length)
        await workers[index]!.kill()
        workers[index] = rig.work(['rollup'])
      } else {
        await rig.killValkey()
        await sleep(downMs)
        await rig.startValkey()
      }
    }
    for (const worker of workers) await worker.kill()
  },
}
