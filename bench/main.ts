// `npm run bench`: every row is a ratio between two things measured in turns in the same run, so that it means the same on
// any machine. `-- --json` prints JSON alone, `-- --only <word>` the rows whose names hold the word.
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { GENERATOR, type Row, figure } from './_measure.ts'
import { type Stage, openStage } from './_stage.ts'
import { batches } from './batches.ts'
import { memory } from './memory.ts'
import { straightToPostgres, throughValkey } from './single_posts.ts'
import { usageRead } from './usage_read.ts'

const ROWS: { name: string; needsValkey: boolean; measure: (stage: Stage) => Promise<Row> }[] = [
  { name: 'single', needsValkey: true, measure: throughValkey },
  { name: 'direct', needsValkey: false, measure: straightToPostgres },
  { name: 'batches', needsValkey: true, measure: batches },
  { name: 'usage', needsValkey: false, measure: usageRead },
  { name: 'memory', needsValkey: true, measure: memory },
]

const { values } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } })
console.error(`load from ${GENERATOR}`)
const { stage, release } = await openStage()
const rows: Row[] = []
try {
  for (const { name, needsValkey, measure } of ROWS) {
    if (values.only !== undefined && !name.includes(values.only)) continue
    if (needsValkey && !stage.valkey) console.error(`not run: ${name} needs valkey-server or redis-server on the PATH`)
    else {
      console.error(`measuring: ${name} …`)
      rows.push(await measure(stage))
    }
  }
} finally {
  await release()
}

if (values.json) console.log(JSON.stringify({ rows }))
else {
  const table = new Table({
    head: ['row', 'ratio', 'target', 'reached', 'spread', 'absolute'],
    style: { head: [], border: [] },
  })
  for (const { name, ratio, target, pass, spread, detail } of rows) {
    table.push([name, figure(ratio), target, pass ? 'yes' : 'NO', spread.map(figure).join(' … '), detail])
  }
  console.log(table.toString())
}
