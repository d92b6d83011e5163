import { generator, hammer } from './_hammer.ts'
import { type Row, against, inTurns, row } from './_measure.ts'
import type { Running, Stage } from './_stage.ts'

/** Many short rounds: the difference is smaller than the noise of a round. */
const ROUNDS = 25
const SECONDS = 1

/** Requests per CPU second: the server has one core, and waiting for the disk is only noise here. */
async function perCore(server: Running): Promise<number> {
  const { rate, cores = 1 } = await hammer(server, SECONDS)
  return rate / cores
}

/** The cost of the key check and limits: single-event POSTs through Valkey with and without them. */
export async function access(stage: Stage): Promise<Row> {
  await stage.database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  const env = stage.streamEnv()
  const [checked, open] = [await stage.ingest(false, env), await stage.ingest(true, env)]
  const series = await inTurns(
    ROUNDS,
    () => perCore(checked),
    () => perCore(open),
  )
  await checked.stop()
  await open.stop()
  return row(
    'single-event POST/s with key check and limits, against without',
    '>= 0.9',
    series,
    `${against(series, 'requests per CPU second')}; ${generator}`,
  )
}
