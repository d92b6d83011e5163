import { setTimeout as sleep } from 'node:timers/promises'
import { rollbackToNobody } from './_mutants.ts'
import type { Experiment } from './_run.ts'

const CUTS = 200
const BRIEF_CUTS = 40
const CHANGES = 16

/** Connections to PostgreSQL are cut, two at a time, while events are recorded without Valkey and tenants change. */
export const cutConnections: Experiment = {
  name: '13 connections cut while tenants are changed',
  unit: 'cuts',
  mutants: [rollbackToNobody],
  load: { pauseMs: 20 },
  async harm({ rig, send, brief }) {
    const api = await rig.serve({ VALKEY_URL: '' })
    const worker = rig.work(['rollup'])
    send()
    let isOver = false
    let changed = 0
    const { urls, key, tenants } = rig.load
    const change = async (i: number): Promise<void> => {
      const answer = await fetch(`${urls[0]}/api/tenants/${tenants[0]!.id}`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ monthlyQuota: 1_000_000_000 + i }),
        signal: AbortSignal.timeout(10_000),
      }).catch(() => undefined)
      if (answer?.ok) changed++
      else await sleep(50)
    }
    const changing = Array.from({ length: CHANGES }, async (_, i) => {
      while (!isOver) await change(i)
    })
    for (const cuts = brief ? BRIEF_CUTS : CUTS; rig.faults < cuts && !api.gone; rig.faults += 2) {
      await sleep(20 + rig.random.below(40))
      await rig.database`
        select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'api' and state <> 'idle' limit 2`
    }
    isOver = true
    await Promise.all(changing)
    if (api.gone) await rig.serve({ VALKEY_URL: '' }) // what was sent must still be accepted
    else if (changed === 0) rig.wrong.push('no tenant was changed')
    worker.signal('SIGTERM')
    await worker.ended
  },
}
