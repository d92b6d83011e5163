import { type Hammered, generator, hammer } from './_hammer.ts'
import { AUTHORIZATION } from './_key.ts'
import { type Row, against, figure, inTurns, median, row } from './_measure.ts'
import type { Running, Stage } from './_stage.ts'

const ROUNDS = 7
const SECONDS = 2
const ANSWER = '{"success":true,"eventId":"019a9a3c-0f0e-7b7a-9c36-7f4c1f0c2d11"}'

/** Single-event POSTs through Valkey: one API process compared with a bare server. The worker runs afterwards. */
export async function throughValkey(stage: Stage): Promise<Row> {
  const name = 'single-event POST/s, Valkey (fsync always), against bare node:http'
  return await measure(stage, name, '>= 0.75', stage.streamEnv())
}

/** The same without Valkey. */
export async function straightToPostgres(stage: Stage): Promise<Row> {
  return await measure(stage, 'single-event POST/s, straight to PostgreSQL, against bare node:http', '>= 0.6', {})
}

async function measure(stage: Stage, name: string, target: string, env: Record<string, string>): Promise<Row> {
  await stage.database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  const server = await stage.serve(['event-ingest', 'metrics'], env)
  const bare = await stage.bare(201, ANSWER)
  let answered = 0
  const series = await inTurns(
    ROUNDS,
    async () => {
      const result = await hammer(server, SECONDS)
      answered += result.answered
      return result
    },
    () => hammer(bare, SECONDS),
  )
  await expectStored(stage, server, env, answered)
  await server.stop()
  await bare.stop()
  const rates = series.map((results) => results.map(({ rate }) => rate)) as [number[], number[]]
  return row(name, target, rates, `${against(rates, 'requests/s')}; ${generator}, ${busy(series)}`)
}

/** Cores each server used: if well below 1, the generator or a store was the limit. */
function busy([ours, bare]: [Hammered[], Hammered[]]): string {
  const [a, b] = [ours, bare].map((results) => results.flatMap(({ cores }) => cores ?? []))
  return a!.length === 0 ? 'CPU unknown' : `${figure(median(a!))} against ${figure(median(b!))} cores`
}

/**
 * Figures from a server that loses events would be worthless. The number stored and counted must equal the number of
 * 201s sent. The generator may have seen fewer, as it drops answers at the end of a round, but never more.
 */
async function expectStored(stage: Stage, server: Running, env: Record<string, string>, known: number): Promise<void> {
  const answered = await settled(server)
  if (env.VALKEY_URL) await stage.run(['worker', 'rollup', '--once'], env)
  const [stored] = await stage.database<{ n: number }[]>`select count(*) as n from events`
  const [counted] = await stage.database<{ n: number }[]>`
    select coalesce(sum(event_count), 0)::bigint as n from rollups`
  if (stored?.n !== answered || counted?.n !== answered || known > answered)
    throw new Error(`${answered} answers 201 (${known} seen), but ${stored?.n} events stored, ${counted?.n} counted`)
}

/** How many times the server answered 201, once it has nothing left to do. */
async function settled(server: Running): Promise<number> {
  for (let last = -1; ;) {
    const text = await (await fetch(`${server.url}/metrics`, { headers: AUTHORIZATION })).text()
    const count = /^http_request_duration_seconds_count\{.*status="201".*\} (\d+)/m.exec(text)?.[1]
    if (Number(count) === last) return last
    last = Number(count)
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}
