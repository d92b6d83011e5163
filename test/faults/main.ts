// `npm run test:faults`: harms the real processes in every way that operation brings, and compares the books with what a
// client wrote down. Each experiment first runs with a mistake built in, which it must find.
// `-- --only <word>` runs those whose name has the word, `-- --long` goes round for hours (`--hours <n>`, default 4).
import { parseArgs } from 'node:util'
import { createRandom } from '../_random.ts'
import { brokenLink } from './broken_link.ts'
import { alertDeliveries } from './deliveries.ts'
import { failpoints } from './failpoints.ts'
import { fullMemory } from './full_memory.ts'
import { postgresOutage } from './postgres_outage.ts'
import { powerLoss } from './power_loss.ts'
import { randomKills } from './random_kills.ts'
import { stoppedWorker } from './stopped_worker.ts'
import { type Result, isFine, printTable, signs } from './_report.ts'
import { type Experiment, isRed, run } from './_run.ts'
import { openStage } from './_stage.ts'

const EXPERIMENTS: Experiment[] = [
  ...failpoints,
  randomKills,
  powerLoss,
  postgresOutage,
  brokenLink,
  fullMemory,
  stoppedWorker,
  alertDeliveries,
]

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
const stage = await openStage()
process.once('SIGINT', () => void stage.release().finally(() => process.exit(130)))
process.once('SIGTERM', () => void stage.release().finally(() => process.exit(143)))

const results: Result[] = []
const endsAt = Date.now() + (values.long ? Number(values.hours) * 3_600_000 : 0)
try {
  for (let round = 0; round === 0 || Date.now() < endsAt; round++)
    for (const [index, experiment] of chosen.entries()) {
      const result = await perform(experiment, seed + 100 * index + 10_000 * round, round === 0)
      results.push(result)
    }
} finally {
  printTable(results)
  const allFine = results.length > 0 && results.every(isFine)
  if (!allFine) {
    process.exitCode = 1
    console.log(`ledgers and logs are kept in ${stage.dir}`)
  }
  await stage.release({ keep: !allFine })
}

/** The mutants first: an experiment that can't turn red proves nothing. */
async function perform(experiment: Experiment, ownSeed: number, withMutants: boolean): Promise<Result> {
  const caught: string[] = []
  const missed: string[] = []
  for (const mutant of withMutants ? experiment.mutants : []) {
    console.error(`${experiment.name}: ${mutant.name} …`)
    const outcome = await run(experiment, stage, createRandom(ownSeed), mutant)
    if (isRed(outcome)) caught.push(`${mutant.name} (${signs(outcome)})`)
    else missed.push(mutant.name)
  }
  console.error(`${experiment.name} …`)
  const outcome = await run(experiment, stage, createRandom(ownSeed))
  for (const line of outcome.wrong) console.error(`  ${line}`)
  return { name: experiment.name, unit: experiment.unit, outcome, caught, missed }
}
