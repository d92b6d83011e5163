import { setTimeout as sleep } from 'node:timers/promises'
import { noDedupe } from './_mutants.ts'
import type { Process } from './_process.ts'
import type { Experiment } from './_run.ts'

const KILLS = 60
const BRIEF_KILLS = 12

/** SIGKILL of the API, of a worker or of Valkey, whenever chance wants it. */
export const randomKills: Experiment = {
  name: 'kill API, worker, Valkey at random',
  unit: 'kills',
  mutants: [noDedupe],
  async harm({ rig, send, brief }) {
    const { random } = rig
    let api = await rig.serve()
    const workers: Process[] = [rig.work(['rollup']), rig.work(['rollup'])]
    send()
    for (const kills = brief ? BRIEF_KILLS : KILLS; rig.faults < kills; rig.faults++) {
      await sleep(random.below(600))
      const target = random.pick(['api', 'worker', 'worker', 'valkey'] as const)
      const downMs = random.below(400)
      if (target === 'api') {
        await api.kill()
        await sleep(downMs)
        api = await rig.serve()
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
