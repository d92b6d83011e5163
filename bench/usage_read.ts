import { Client } from 'undici'
import { AUTHORIZATION } from './_key.ts'
import { generator, hammer } from './_hammer.ts'
import { type Row, against, figure, inTurns, median, row } from './_measure.ts'
import type { Stage } from './_stage.ts'

const ROUNDS = 9
const REQUESTS = 400
const FEATURES = 10

/**
 * GET /api/usage for a tenant with a month of minutes of ten features, compared with a bare server that answers with
 * the same bytes.
 */
export async function usageRead(stage: Stage): Promise<Row> {
  const { database } = stage
  await database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  await fill(stage, 'acme-corp', FEATURES, 30 * 24 * 60)
  await database`vacuum analyze rollups, usage_periods, usage_features`
  const server = await stage.serve(['usage-get'])
  const load = { path: '/api/usage/acme-corp', body: '' }
  const sample = await fetch(server.url + load.path, { headers: AUTHORIZATION })
  const bare = await stage.bare(200, await sample.text())
  const [ours, theirs] = await inTurns(
    7,
    () => hammer(server, 2, load),
    () => hammer(bare, 2, load),
  )
  await server.stop()
  await bare.stop()
  const rates = [ours, theirs].map((results) => results.map(({ rate }) => rate)) as [number[], number[]]
  const name = 'GET /api/usage/s, a month of minutes × 10 features, against bare node:http with the same bytes'
  return row(name, '>= 0.5', rates, `${against(rates, 'requests/s')}; ${generator}`)
}

/** Minutes of other tenants, besides those of the tenant being read. */
const OTHERS = 250
const ROWS = 10_000_000

/** The time of GET /api/usage/:tenant with 10,000,000 rollup rows in the database, compared with 1,000. */
export async function usageGrowth(stage: Stage): Promise<Row> {
  const { database } = stage
  await database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  const own = 30 * 24 * 60
  await fill(stage, 'acme-corp', FEATURES, own)
  await database`
    insert into rollups (tenant_id, feature, minute, total_tokens, event_count)
    select md5(t::text)::uuid, 'feature-1',
           date_bin('1 minute', now(), timestamptz 'epoch') - m * interval '1 minute', 1, 1
    from generate_series(1, ${OTHERS}::int) as t,
         generate_series(1, ${Math.ceil((ROWS - FEATURES * own) / OTHERS)}::int) as m`
  await fill(stage, 'globex-inc', FEATURES, 100)
  await database`vacuum analyze rollups, usage_periods, usage_features`
  const server = await stage.serve(['usage-get'])
  const client = new Client(server.url)
  const series: [number[][], number[][]] = [[], []]
  for (let round = 0; round <= ROUNDS; round++) {
    const times: [number[], number[]] = [[], []]
    // Alternating request by request, so that disturbances hit both.
    for (let i = 0; i < REQUESTS; i++) {
      times[0].push(await read(client, 'acme-corp', FEATURES * own))
      times[1].push(await read(client, 'globex-inc', FEATURES * 100))
    }
    if (round > 0) for (const side of [0, 1] as const) series[side].push(times[side])
  }
  await client.close()
  await server.stop()
  const [p50, mean] = [median, average].map((of) => series.map((rounds) => rounds.map(of)) as [number[], number[]])
  const rows = [p50!, mean!].map((figures) =>
    row('time of GET /api/usage, 10,000,000 rollup rows, against 1,000', '<= 1.1', figures, ''),
  )
  // The row shows the worse of the two.
  const worse = rows.toSorted((a, b) => b.ratio - a.ratio)[0]!
  const ratios = rows.map(({ ratio }) => figure(ratio))
  return { ...worse, detail: `P50 ${against(p50!, 'ms')} (${ratios[0]}), mean ${against(mean!, 'ms')} (${ratios[1]})` }
}

const average = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** The milliseconds that one request takes. */
async function read(client: Client, tenant: string, events: number): Promise<number> {
  const startedAt = performance.now()
  const answer = await client.request({ method: 'GET', path: `/api/usage/${tenant}`, headers: AUTHORIZATION })
  const usage = (await answer.body.json()) as { eventCount: number }
  const ms = performance.now() - startedAt
  if (usage.eventCount !== events) throw new Error(`the usage of ${tenant} has ${usage.eventCount} events`)
  return ms
}

/** Inserts rollups for the newest minutes of a period that began almost a month ago, and their counters. */
async function fill({ database }: Stage, tenant: string, features: number, minutes: number): Promise<void> {
  await database`
    insert into rollups (tenant_id, feature, minute, total_tokens, event_count)
    select id, 'feature-' || f, date_bin('1 minute', now(), timestamptz 'epoch') - m * interval '1 minute', 1, 1
    from tenants, generate_series(1, ${features}::int) as f, generate_series(0, ${minutes - 1}::int) as m
    where name = ${tenant}`
  // A new billing day rebuilds the counters from the rollups. Tomorrow's date makes the period as old as possible.
  const days = await database<{ day: number }[]>`
    select extract(day from now() + step * interval '1 day')::int as day from generate_series(2, 1, -1) as step`
  for (const { day } of days)
    await database`
      select update_tenant(id, null, null, null, ${day}, null, null, null) from tenants where name = ${tenant}`
}
