import { generator, hammer } from './_hammer.ts'
import { type Row, against, inTurns, row } from './_measure.ts'
import type { Running, Stage } from './_stage.ts'

/** Many short ones: the difference is smaller than the noise of a round. */
const ROUNDS = 25
const SECONDS = 1

/** Requests per second of a whole core: the server has one, and what it waits for the disk is noise here. */
async function perCore(server: Running): Promise<number> {
  const { rate, cores = 1 } = await hammer(server, SECONDS)
  return rate / cores
}

/**
 * What the key check and the limits cost: single-event POSTs through Valkey with them, against the same server without.
 */
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
