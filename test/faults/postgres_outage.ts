import { setTimeout as sleep } from 'node:timers/promises'
import { outageIsDone, outageIsPoison } from './_mutants.ts'
import type { Experiment } from './_run.ts'

const CRASHES = 8
const AWAY_MS = 60_000

/** PostgreSQL is repeatedly stopped at once, sometimes together with Valkey; then it is down for a minute. */
export const postgresOutage: Experiment = {
  name: '4 PostgreSQL stopped, and away for a minute',
  unit: 'outages',
  mutants: [outageIsDone, outageIsPoison],
  load: { pauseMs: 20 },
  async harm({ rig, stage, send, accepted, brief }) {
    await rig.serve()
    const worker = rig.work(['rollup'])
    send()
    for (const crashes = brief ? 2 : CRASHES; rig.faults < crashes; rig.faults++) {
      await sleep(500 + rig.random.below(1000))
      // Not for a mutant, which shows only while the worker has something to read.
      const both = !brief && rig.random.below(3) === 0
      if (both) await rig.killValkey()
      await stage.crashPostgres()
      await sleep(rig.random.below(1500))
      await stage.startPostgres()
      if (both) await rig.startValkey()
    }
    if (!brief) {
      await sleep(3_000) // Valkey is in use again
      await stage.crashPostgres()
      await sleep(AWAY_MS / 2)
      const before = accepted()
      await sleep(AWAY_MS / 2)
      if (accepted() === before) rig.wrong.push('no event was accepted while PostgreSQL was away')
      await stage.startPostgres()
      rig.faults++
    }
    await sleep(1_000)
    worker.signal('SIGTERM')
    await worker.ended
  },
  async check(rig) {
    const [row] = await rig.database<{ count: number }[]>`select count(*)::int as count from dead_letters`
    if (row!.count > 0) rig.wrong.push(`${row!.count} valid events became dead letters`)
  },
}
