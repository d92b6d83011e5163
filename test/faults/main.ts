// `npm run test:faults`: injects every fault seen in operation into the real processes, and compares the books with a
// client's ledger. Each experiment first runs with a mistake built in, which it must find.
// `-- --only <word>` runs those with the word in their name, `-- --long` repeats for hours (`--hours <n>`, default 4).
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { createRandom } from '../_random.ts'
import { brokenLink } from './broken_link.ts'
import { cutConnections } from './cut_connections.ts'
import { alertDeliveries } from './deliveries.ts'
import { failpoints } from './failpoints.ts'
import { fullPostgresDisk, fullValkeyDisk } from './full_disk.ts'
import { fullMemory } from './full_memory.ts'
import { postgresFrozen } from './postgres_frozen.ts'
import { postgresOutage } from './postgres_outage.ts'
import { powerLoss } from './power_loss.ts'
import { randomKills } from './random_kills.ts'
import { stoppedWorker } from './stopped_worker.ts'
import { valkeyAway } from './valkey_away.ts'
import { removeMutants } from './_build.ts'
import { type Result, isFine, printTable, sign, signs } from './_report.ts'
import { type Experiment, NOTHING, gaveAway, run } from './_run.ts'
import { type Stage, openStage } from './_stage.ts'

/** The longest first, so that the lanes end together. */
const EXPERIMENTS: Experiment[] = [
  valkeyAway,
  postgresFrozen,
  postgresOutage,
  ...failpoints,
  randomKills,
  powerLoss,
  brokenLink,
  fullMemory,
  fullValkeyDisk,
  fullPostgresDisk,
  stoppedWorker,
  alertDeliveries,
  cutConnections,
]
/** Experiments at once: each keeps two cores busy. */
const LANES = Math.max(1, Math.min(3, Math.floor(availableParallelism() / 2)))

const { values } = parseArgs({
  options: { only: { type: 'string' }, long: { type: 'boolean' }, hours: { type: 'string', default: '4' } },
})
const chosen = EXPERIMENTS.filter(({ name }) => name.includes(values.only ?? ''))
if (chosen.length === 0) {
  console.error(`there is no experiment '${values.only}'; known: ${EXPERIMENTS.map(({ name }) => name).join(', ')}`)
  process.exit(2)
}

const { seed } = createRandom()
console.log(`seed ${seed} (FLAGMETER_SEED=${seed} repeats what is chosen at random; time has its own mind)`)
const stages: Stage[] = []
const results: Result[] = []
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => void finish().finally(() => process.exit(code)))

const endsAt = Date.now() + (values.long ? Number(values.hours) * 3_600_000 : 0)
try {
  for (let round = 0; round === 0 || Date.now() < endsAt; round++) await runAll(round)
} finally {
  await finish()
}

/** Reports the results so far, and stops everything. */
async function finish(): Promise<void> {
  const order = ({ name }: Result) =>
    100 * Number.parseInt(name, 10) + EXPERIMENTS.findIndex((known) => known.name === name)
  printTable(results.toSorted((a, b) => order(a) - order(b)))
  const allFine = results.every(isFine)
  if (!allFine) {
    process.exitCode = 1
    console.log(`ledgers and logs are kept in ${stages.map(({ dir }) => dir).join(' and ')}`)
  }
  for (const stage of stages) await stage?.release({ keep: !allFine })
  await removeMutants()
}

/** Each lane has its own stores, and takes the next waiting experiment. */
async function runAll(round: number): Promise<void> {
  const waiting = chosen.map((experiment, index) => ({ experiment, ownSeed: seed + 100 * index + 10_000 * round }))
  const lane = async (index: number) => {
    const stage = (stages[index] ??= await openStage())
    for (let next = waiting.shift(); next; next = waiting.shift())
      results.push(await perform(stage, next.experiment, next.ownSeed, round === 0))
  }
  await Promise.all(Array.from({ length: Math.min(LANES, waiting.length) }, (_, index) => lane(index)))
}

/** The mutants first: an experiment that can't turn red proves nothing. */
async function perform(stage: Stage, experiment: Experiment, ownSeed: number, isFirst: boolean): Promise<Result> {
  const { name, unit, mutants, needs } = experiment
  const missing = needs?.()
  if (missing !== undefined) return { name, unit, outcome: NOTHING, skipped: missing, caught: [], missed: [] }
  const caught: string[] = []
  const missed: string[] = []
  for (const mutant of isFirst ? mutants : []) {
    console.error(`${name}, with a mistake: ${mutant.name} …`)
    const outcome = await run(experiment, stage, createRandom(ownSeed), mutant)
    if (gaveAway(mutant, outcome) && outcome.failure === undefined)
      caught.push(`${mutant.name} (${sign(mutant, outcome)})`)
    else missed.push([mutant.name, signs(outcome), outcome.failure ?? ''].join(' '))
  }
  console.error(`${name} …`)
  const outcome = await run(experiment, stage, createRandom(ownSeed))
  for (const line of [...outcome.wrong, outcome.failure ?? []].flat()) console.error(`${name}: ${line}`)
  return { name, unit, outcome, caught, missed }
}
