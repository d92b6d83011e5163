import { type Random, createRandom } from '../_random.ts'
import { type Differences, becomesQuiet, compare, countersDiffer } from './_books.ts'
import { type Client, type Load, startClient } from './_client.ts'
import { type Account, type Ledger, openLedger, readLedger } from './_ledger.ts'
import { buildMutant } from './_build.ts'
import type { Mutant } from './_mutants.ts'
import { DIST } from './_process.ts'
import { type Rig, openRig } from './_rig.ts'
import type { Stage } from './_stage.ts'

/** One way to harm the pipeline. */
export interface Experiment {
  name: string
  /** What the faults are: kills, cuts … */
  unit: string
  mutants: Mutant[]
  /** Load settings that differ from the usual ones. */
  load?: Partial<Load>
  tenants?: Parameters<typeof openRig>[1]['tenants']
  valkey?: (stage: Stage) => NonNullable<Parameters<typeof openRig>[1]['valkey']>
  /** What this machine lacks to run it. */
  needs?: () => string | undefined
  /** Starts the API, sends, injects the faults, and leaves a pipeline that can recover. */
  harm(scene: Scene): Promise<void>
  /** Further checks once all is quiet. */
  check?(rig: Rig, account: Account): Promise<void>
}

/** What an experiment works with. */
export interface Scene {
  rig: Rig
  stage: Stage
  /** Starts the client. */
  send(): void
  /** How many events have been accepted so far. */
  accepted(): number
  ledger: Ledger
  /** Whether to do only enough harm to catch a mutant. */
  brief: boolean
}

/** The outcome of one run of an experiment. */
export interface Outcome extends Differences {
  faults: number
  events: number
  /** Requests with an unknown outcome that were resent. */
  retried: number
  seconds: number
  /** Other things that are wrong. */
  wrong: string[]
  /** The faults could not be injected: the run proves nothing. */
  failure?: string
  notes: string[]
}

/** The outcome of an experiment that was not run. */
export const NOTHING: Outcome = {
  lost: 0,
  doubled: 0,
  tokens: 0,
  unsent: 0,
  faults: 0,
  events: 0,
  retried: 0,
  seconds: 0,
  wrong: [],
  notes: [],
}

/** How long a pipeline must be at rest: longer than a claim on a delivery lasts. */
const PATIENCE_MS = 25_000
const MUTANT_PATIENCE_MS = 8_000

let runs = 0

/** Runs an experiment once, with the product or with a mutant of it. */
export async function run(experiment: Experiment, stage: Stage, random: Random, mutant?: Mutant): Promise<Outcome> {
  const startedAt = performance.now()
  const valkey = experiment.valkey?.(stage) ?? {}
  const rig = await openRig(stage, {
    name: `run_${++runs}`,
    random,
    bundles: mutant && mutant.edits.length > 0 ? await buildMutant(mutant) : DIST,
    valkey: { ...valkey, settings: { ...valkey.settings, ...mutant?.valkey } },
    ...(experiment.tenants && { tenants: experiment.tenants }),
  })
  let outcome: Outcome
  try {
    const ledger = await openLedger(rig.ledgerFile)
    let client: Client | undefined
    let failure: string | undefined
    // Its own generator: the faults draw numbers depending on timing, but what is sent must not depend on it.
    const send = () =>
      void (client = startClient({ ...rig.load, ...experiment.load }, ledger, createRandom(random.seed + 1)))
    try {
      await experiment.harm({
        rig,
        stage,
        send,
        ledger,
        accepted: () => client?.accepted() ?? 0,
        brief: mutant !== undefined,
      })
    } catch (error) {
      failure = (error as Error).message
    }
    await client?.stop().catch((error: Error) => (failure ??= error.message))
    await ledger.close()
    await settle(rig, mutant ? MUTANT_PATIENCE_MS : PATIENCE_MS)
    const account = await readLedger(rig.ledgerFile)
    const differences = await compare(rig.database, account)
    const differing = await countersDiffer(rig.database)
    if (differing > 0) rig.wrong.push(`flagmeter verify finds ${differing} differences`)
    await experiment.check?.(rig, account)
    outcome = {
      ...differences,
      faults: rig.faults,
      events: account.sent.size,
      retried: account.unknown,
      seconds: (performance.now() - startedAt) / 1000,
      wrong: rig.wrong,
      notes: rig.notes,
      ...(failure !== undefined && { failure }),
    }
  } finally {
    await rig.release()
  }
  const isAsExpected = mutant ? gaveAway(mutant, outcome) : !isRed(outcome)
  if (isAsExpected && outcome.failure === undefined) await rig.discard()
  return outcome
}

/** Lets undisturbed workers finish everything. */
async function settle(rig: Rig, patienceMs: number): Promise<void> {
  const worker = rig.work([])
  const open = await becomesQuiet(rig.database, rig.redis, patienceMs)
  if (open) rig.wrong.push(`not quiet: stream ${open.stream}, pending ${open.pending}, outbox ${open.outbox}`)
  worker.signal('SIGTERM')
  const { code } = await worker.ended
  // It dies of the signal itself if all was quiet before it listened for signals.
  if (code !== 0 && code !== null) rig.wrong.push(`the last worker ended with ${code}`)
}

/** Whether the books or the other checks show a mistake. */
export const isRed = ({ lost, doubled, tokens, unsent, wrong }: Outcome): boolean =>
  lost + Math.abs(doubled) + tokens + unsent + wrong.length > 0

/** Whether an outcome gives a mutant away by its expected sign. */
export function gaveAway({ shows }: Mutant, { lost, doubled, unsent, wrong }: Outcome): boolean {
  if (shows === 'lost') return lost > 0
  if (shows === 'unsent') return unsent > 0
  if (shows === 'doubled') return doubled !== 0
  return wrong.some((line) => shows.test(line))
}
