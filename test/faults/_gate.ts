import { setTimeout as sleep } from 'node:timers/promises'
import type { Process } from './_process.ts'
import { CLAIM_IDLE_MS, type Rig } from './_rig.ts'

/** Points where a trigger in the test database halts a transaction, unknown to the product. */
export const GATED = {
  'inside the transaction': 'create trigger gate after insert on events for each statement execute function gate()',
  'before commit': `create constraint trigger gate after insert or update on usage_periods
    deferrable initially deferred for each row execute function gate()`,
}

const LOCK = 42
const REACH_MS = 30_000

/**
 * Kills workers whose transaction is at the gate. Half of the transactions then end with their connection; the others
 * commit later, with nobody listening: PostgreSQL notices a dead client only when it tries to answer.
 */
export async function killAtGate(rig: Rig, point: keyof typeof GATED, kills: number, victims: number): Promise<void> {
  await rig.database.unsafe(`
    create function gate() returns trigger language plpgsql as $$
    begin
      perform pg_advisory_xact_lock_shared(${LOCK});
      return null;
    end $$;
    ${GATED[point]}`)
  const workers = new Map<string, Process>()
  let started = 0
  const start = () => {
    const name = `victim-${started++}`
    workers.set(name, rig.work(['rollup'], {}, name))
  }
  for (let i = 0; i < victims; i++) start()
  const gate = await rig.database.reserve()
  try {
    while (rig.faults < kills) {
      await gate`select pg_advisory_lock(${LOCK})`
      const waiting = await firstWaiting(rig, workers)
      for (const name of waiting) {
        await workers.get(name)!.kill()
        workers.delete(name)
        rig.faults++
        start()
      }
      if (rig.random.below(2) === 0) await endSessions(rig, waiting)
      else await sleep(rig.random.below(2 * CLAIM_IDLE_MS)) // another may take over the batch meanwhile
      await gate`select pg_advisory_unlock(${LOCK})`
      await sleep(rig.random.below(100))
    }
  } finally {
    await gate`select pg_advisory_unlock_all()`
    gate.release()
    for (const worker of workers.values()) await worker.kill()
    await rig.database`drop function gate cascade`
  }
}

const endSessions = (rig: Rig, names: string[]): Promise<unknown> =>
  rig.database`select pg_terminate_backend(pid) from pg_stat_activity where application_name = any (${names})`

/** The names of the workers at the gate, as soon as there is one. */
async function firstWaiting(rig: Rig, workers: Map<string, Process>): Promise<string[]> {
  for (const end = Date.now() + REACH_MS; Date.now() < end; await sleep(5)) {
    const rows = await rig.database<{ name: string }[]>`
      select distinct application_name as name from pg_locks join pg_stat_activity using (pid)
      where locktype = 'advisory' and objid = ${LOCK} and not granted and datname = current_database()`
    const alive = rows.filter(({ name }) => workers.has(name))
    if (alive.length > 0) return alive.map(({ name }) => name)
    // From a worker killed earlier, or from the API: it holds the rows that all others wait for.
    if (rows.length > 0)
      await endSessions(
        rig,
        rows.map(({ name }) => name),
      )
  }
  throw new Error(`no worker got to the gate within ${REACH_MS} ms`)
}
