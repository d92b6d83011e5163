import { setTimeout as sleep } from 'node:timers/promises'
import { type Mutant, ackBeforeCommit, ackInTwoSteps, noDedupe, twoTransactions } from './_mutants.ts'
import { GATED, killAtGate } from './_gate.ts'
import type { Value } from './_resp.ts'
import type { Rig } from './_rig.ts'
import type { Experiment } from './_run.ts'
import { type Hooks, openValkeyProxy } from './_valkey_proxy.ts'

/** Moments in the life of a batch, and the mutant that a kill there must reveal. */
const POINTS = {
  'after read': ackBeforeCommit,
  'inside the transaction': twoTransactions,
  'before commit': ackBeforeCommit,
  'after commit': noDedupe,
  'after XACK': ackInTwoSteps,
  'after XDEL': ackBeforeCommit,
  'while claiming': noDedupe,
} satisfies Record<string, Mutant>
export type Point = keyof typeof POINTS

const KILLS = 50
const BRIEF_KILLS = 8
/** Workers at once: while one starts, the others continue and take over what it left. */
const VICTIMS = 3
/** A worker starts, reads and reaches the point well within this time, even on two busy cores. */
const REACH_MS = 30_000

/** SIGKILL at each of these points. */
export const failpoints: Experiment[] = Object.entries(POINTS).map(([point, mutant]) => ({
  name: `1 kill worker ${point}`,
  unit: 'kills',
  mutants: [mutant],
  async harm({ rig, send, brief }) {
    await rig.serve()
    send()
    const kills = brief ? BRIEF_KILLS : KILLS
    if (point in GATED) return await killAtGate(rig, point as keyof typeof GATED, kills, VICTIMS)
    await Promise.all(
      Array.from({ length: VICTIMS }, async () => {
        while (rig.faults < kills) {
          if (point === 'while claiming') await killAt(rig, 'after commit')
          await killAt(rig, point as Point)
          rig.faults++
        }
      }),
    )
  },
}))

/** Starts a worker and kills it when it reaches the point, not always the first time. */
async function killAt(rig: Rig, point: Point): Promise<void> {
  // A worker that takes over entries and survives leaves nothing for the others to claim.
  let passes = point === 'while claiming' ? 0 : rig.random.below(3)
  let kill = () => {}
  const proxy = await openValkeyProxy(
    rig.valkeyPort,
    watch(
      point,
      () => passes-- <= 0,
      () => kill(),
    ),
  )
  const victim = rig.work(['rollup'], { VALKEY_URL: proxy.url })
  kill = () => victim.signal('SIGKILL')
  const inTime = await Promise.race([victim.ended, sleep(REACH_MS, 'late' as const)])
  proxy.release()
  if (inTime !== 'late') return
  await victim.kill()
  throw new Error(`no worker got to the point '${point}' within ${REACH_MS} ms`)
}

const isAcknowledge = (name: string, args: string[]): boolean => name === 'xack' || /XACK/.test(args[0] ?? '')

/** Recognises the points visible in a worker's commands to Valkey. Whatever follows the kill is withheld. */
function watch(point: Point, isDue: () => boolean, kill: () => void): Hooks {
  const killIfDue = () => {
    const due = isDue()
    if (due) kill()
    return due
  }
  switch (point) {
    case 'after read':
      return { onReply: (name, _args, reply) => !(name === 'xreadgroup' && reply !== null && killIfDue()) }
    case 'while claiming':
      return { onReply: (name, _args, reply) => !(name === 'xautoclaim' && hasEntries(reply) && killIfDue()) }
    case 'after commit':
      // A worker's first command after a commit.
      return { onCommand: (name, args) => !(isAcknowledge(name, args) && killIfDue()) }
    case 'after XACK':
      return afterXack(isDue, kill)
    default:
      // The worker has the answer.
      return { onReply: (name, args) => (!isAcknowledge(name, args) || setImmediate(killIfDue), true) }
  }
}

/** Valkey has done it, and the worker does not know. If XDEL is a separate command, it never arrives. */
function afterXack(isDue: () => boolean, kill: () => void): Hooks {
  return {
    onCommand(name) {
      const due = name === 'xdel' && isDue()
      if (due) setTimeout(kill, 20) // by then the preceding XACK is done
      return !due
    },
    onReply(name, args) {
      const due = name !== 'xack' && isAcknowledge(name, args) && isDue()
      if (due) kill()
      return !due
    },
  }
}

const hasEntries = (reply: Value): boolean => Array.isArray(reply) && Array.isArray(reply[1]) && reply[1].length > 0
