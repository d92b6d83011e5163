// `npm run bench`: every row is a ratio of two things measured alternately in the same run, so that it means the same
// on any machine. `-- --json` prints only JSON, `-- --only <word>` measures the row with that name, `-- --long`
// includes rows that take minutes, `-- --check` exits 1 if a target is missed.
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { type Row, figure } from './_measure.ts'
import { type Stage, openStage } from './_stage.ts'
import { access } from './access.ts'
import { batches } from './batches.ts'
import { memory } from './memory.ts'
import { straightToPostgres, throughValkey } from './single_posts.ts'
import { checkLatency, checks, reservationLatency, reservationsHot, reservationsMany } from './quotas.ts'
import { retention } from './retention.ts'
import { start } from './start.ts'
import { SCALE_CORES, canScale, scale } from './scale.ts'
import { usageGrowth, usageRead } from './usage_read.ts'
import { cpu } from './cpu.ts'
import { growth } from './growth.ts'
import { freshness, latency } from './latency.ts'

interface Entry {
  needsValkey: boolean
  /** Takes minutes: measured only with `--long` or by name. */
  isLong?: boolean
  /** Why it can't be measured here. */
  missing?: () => string | undefined
  measure: (stage: Stage) => Promise<Row>
}

const ROWS: Record<string, Entry> = {
  single: { needsValkey: true, measure: throughValkey },
  direct: { needsValkey: false, measure: straightToPostgres },
  access: { needsValkey: true, measure: access },
  batches: { needsValkey: true, measure: batches },
  scale: {
    needsValkey: true,
    missing: () => (canScale() ? undefined : `needs ${SCALE_CORES} cores`),
    measure: scale,
  },
  usage: { needsValkey: false, measure: usageRead },
  'usage-growth': { needsValkey: false, isLong: true, measure: usageGrowth },
  growth: { needsValkey: false, isLong: true, measure: growth },
  latency: { needsValkey: true, measure: latency },
  freshness: { needsValkey: true, measure: freshness },
  checks: { needsValkey: false, measure: checks },
  reservations: { needsValkey: false, measure: reservationsMany },
  hot: { needsValkey: false, measure: reservationsHot },
  'check-latency': { needsValkey: false, measure: checkLatency },
  'reservation-latency': { needsValkey: false, measure: reservationLatency },
  start: { needsValkey: true, measure: start },
  retention: { needsValkey: false, measure: retention },
  memory: { needsValkey: true, measure: memory },
  cpu: { needsValkey: true, measure: cpu },
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    check: { type: 'boolean' },
    long: { type: 'boolean' },
    only: { type: 'string' },
  },
})
const chosen = Object.entries(ROWS).filter(([name, { isLong = false }]) =>
  values.only === undefined ? values.long || !isLong : name === values.only,
)
if (chosen.length === 0) {
  console.error(`there is no row '${values.only}'; known: ${Object.keys(ROWS).join(', ')}`)
  process.exit(2)
}

const opening = openStage()
let stopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (stopping) return // npm forwards the signal that the terminal also sent us
    stopping = true
    // Even while the stores are starting: anything half open is stopped once it is open.
    void opening.then(({ release }) => release()).finally(() => process.exit(130))
  })
}

const { stage, release } = await opening
const rows: Row[] = []
const notRun: string[] = []
try {
  for (const [name, { needsValkey, missing, measure }] of chosen) {
    const lacks = missing?.()
    if (lacks !== undefined) notRun.push(`${name}: not run: ${lacks}`)
    else if (needsValkey && !stage.valkey) notRun.push(`${name}: not run: no valkey-server or redis-server on the PATH`)
    else {
      console.error(`measuring: ${name} …`)
      rows.push(await measure(stage))
    }
  }
} catch (error) {
  // After a signal everything fails, which needs no report.
  if (stopping) await new Promise(() => {})
  throw error
} finally {
  await release()
}

if (values.json) console.log(JSON.stringify({ rows }))
else console.log(table())
for (const line of notRun) console.error(line)
if (values.check && rows.some(({ pass }) => !pass)) process.exitCode = 1

function table(): string {
  const head = ['row', 'ratio', 'target', 'reached', 'spread', 'absolute']
  const lines = new Table({ head, style: { head: [], border: [] } })
  for (const { name, ratio, target, pass, spread, detail } of rows) {
    lines.push([name, figure(ratio), target, pass ? 'yes' : 'NO', spread.map(figure).join(' … '), detail])
  }
  return lines.toString()
}
