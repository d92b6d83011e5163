import { availableParallelism } from 'node:os'
import { request } from 'undici'
import { AUTHORIZATION } from './_key.ts'
import { type Row, against, inTurns, row } from './_measure.ts'
import type { Stage } from './_stage.ts'

/** For two servers, two workers, PostgreSQL, Valkey and the generator. */
export const SCALE_CORES = 8
const ROUNDS = 5
const REQUESTS = 60
const BATCH_EVENTS = 1_000
const SENDERS = 8

export const canScale = (): boolean => availableParallelism() >= SCALE_CORES

/** Batches of 1,000 through two servers and two workers, compared with one of each. */
export async function scale(stage: Stage): Promise<Row> {
  await stage.database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  const [two, one] = [await open(stage, 2), await open(stage, 1)]
  const series = await inTurns(ROUNDS, two.run, one.run)
  await two.stop()
  await one.stop()
  return row('two servers and two workers, against one of each', '>= 1.7', series, against(series, 'events/s'))
}

async function open(stage: Stage, count: number) {
  const env = stage.streamEnv()
  const servers = await Promise.all(Array.from({ length: count }, () => stage.serve(['event-ingest'], env)))
  const workers = await Promise.all(Array.from({ length: count }, () => stage.work(['rollup'], env)))
  const counted = async () =>
    (
      await stage.database<{ n: number }[]>`
      select coalesce(sum(event_count), 0)::bigint as n from usage_periods where quota_id = tenant_id`
    )[0]!.n

  async function run(): Promise<number> {
    const bodies = Array.from({ length: REQUESTS }, (_, turn) =>
      JSON.stringify(
        Array.from({ length: BATCH_EVENTS }, (__, i) => ({
          tenant: ['acme-corp', 'globex-inc', 'initech-llc'][i % 3],
          feature: `feature-${(turn + i) % 10}`,
          tokens: 1,
        })),
      ),
    )
    const before = await counted()
    const startedAt = performance.now()
    await Promise.all(
      Array.from({ length: SENDERS }, async (_, sender) => {
        for (let body = bodies.pop(); body !== undefined; body = bodies.pop()) {
          const { url } = servers[sender % count]!
          const headers = { ...AUTHORIZATION, 'content-type': 'application/json' }
          const answer = await request(`${url}/api/events`, { method: 'POST', headers, body })
          await answer.body.dump()
          if (answer.statusCode !== 201) throw new Error(`a batch was answered ${answer.statusCode}`)
        }
      }),
    )
    while ((await counted()) < before + REQUESTS * BATCH_EVENTS) await new Promise((resolve) => setTimeout(resolve, 5))
    return (REQUESTS * BATCH_EVENTS * 1000) / (performance.now() - startedAt)
  }

  const stop = async () => {
    for (const running of [...servers, ...workers]) await running.stop()
  }
  return { run, stop }
}
