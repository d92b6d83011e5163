import { generator, hammer } from './_hammer.ts'
import { type Row, against, inTurns, row } from './_measure.ts'
import type { Stage } from './_stage.ts'

const ROUNDS = 7
const SECONDS = 2

/** What the key check and the limits cost: single-event POSTs through Valkey with them, against the same server without. */
export async function access(stage: Stage): Promise<Row> {
  await stage.database`truncate events, rollups, usage_periods, usage_features`
  const env = stage.streamEnv()
  const [checked, open] = [await stage.ingest(false, env), await stage.ingest(true, env)]
  const series = await inTurns(
    ROUNDS,
    async () => (await hammer(checked, SECONDS)).rate,
    async () => (await hammer(open, SECONDS)).rate,
  )
  await checked.stop()
  await open.stop()
  return row(
    'single-event POST/s with key check and limits, against without',
    '>= 0.9',
    series,
    `${against(series, 'requests/s')}; ${generator}`,
  )
}
