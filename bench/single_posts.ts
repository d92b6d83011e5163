import { type Row, hammer, inTurns, row } from './_measure.ts'
import type { Stage } from './_stage.ts'

const ROUNDS = 5
const SECONDS = 3
const ANSWER = '{"success":true,"eventId":"019a9a3c-0f0e-7b7a-9c36-7f4c1f0c2d11"}'

/** Single-event POSTs through Valkey: one API process against a bare server. No worker runs; afterwards one counts what was accepted. */
export async function throughValkey(stage: Stage): Promise<Row> {
  const env = { VALKEY_URL: stage.valkey!.url, QUEUE_NAME: 'bench-single' }
  const series = await measure(stage, env)
  await stage.run(['worker', 'rollup', '--once'], env)
  await expectStored(stage, series.accepted)
  return row('single-event POST/s, Valkey (fsync always), against bare node:http', '>= 0.6', series.rates, 'requests/s')
}

/** The same without Valkey. Its target belongs to a later release; here it informs. */
export async function straightToPostgres(stage: Stage): Promise<Row> {
  const series = await measure(stage, {})
  await expectStored(stage, series.accepted)
  return row(
    'single-event POST/s, straight to PostgreSQL, against bare node:http',
    '>= 0.6',
    series.rates,
    'requests/s',
  )
}

async function measure(
  stage: Stage,
  env: Record<string, string>,
): Promise<{ rates: [number[], number[]]; accepted: number }> {
  await stage.database`truncate events, rollups, usage_periods, usage_features`
  const server = await stage.serve(['event-ingest'], env)
  const bare = await stage.bare(201, ANSWER)
  let accepted = 0
  const rates = await inTurns(
    ROUNDS,
    async () => {
      const { rate, answered } = await hammer({ url: `${server.url}/api/events`, seconds: SECONDS })
      accepted += answered
      return rate
    },
    async () => (await hammer({ url: `${bare.url}/api/events`, seconds: SECONDS })).rate,
  )
  await server.stop()
  await bare.stop()
  return { rates, accepted }
}

/** A figure of a server that loses events is worth nothing. What the generator cut off at its end may count beside. */
async function expectStored({ database }: Stage, accepted: number): Promise<void> {
  const [stored] = await database<{ n: number }[]>`select count(*) as n from events`
  const [counted] = await database<{ n: number }[]>`select coalesce(sum(event_count), 0)::bigint as n from rollups`
  const n = stored?.n ?? 0
  if (n < accepted || n > accepted + 256 * 2 * (ROUNDS + 1) || counted?.n !== n) {
    throw new Error(`${accepted} events were accepted, ${n} are stored, ${counted?.n} are counted`)
  }
}
