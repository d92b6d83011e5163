import { type Row, hammer, inTurns, row } from './_measure.ts'
import type { Stage } from './_stage.ts'

const ROUNDS = 5
const SECONDS = 2
const ROWS = 600_000
/** 40,000 minutes of each fit into a month. */
const FEATURES = 15

/** The time of GET /api/usage/:tenant with 600,000 rollup rows in the period against the same with 10. */
export async function usageRead(stage: Stage): Promise<Row> {
  const { database } = stage
  await database`truncate events, rollups, usage_periods, usage_features`
  await fill(stage, 'acme-corp', FEATURES, ROWS / FEATURES)
  await fill(stage, 'globex-inc', 10, 1)
  await database`analyze`
  const server = await stage.serve(['usage-get'])
  const time = (tenant: string) => async () => {
    const { rate } = await hammer({
      url: `${server.url}/api/usage/${tenant}`,
      seconds: SECONDS,
      method: 'GET',
      connections: 8,
    })
    return 8_000 / rate
  }
  const series = await inTurns(ROUNDS, time('acme-corp'), time('globex-inc'))
  await server.stop()
  return row('GET /api/usage, 600,000 rollup rows in the period, against 10 rows', '<= 1.1', series, 'ms')
}

/** Rollups of the newest minutes, in a period that began almost a month ago, and the counters made from them. */
async function fill({ database }: Stage, tenant: string, features: number, minutes: number): Promise<void> {
  await database`
    insert into rollups (tenant_id, feature, minute, total_tokens, event_count)
    select id, 'feature-' || f, date_bin('1 minute', now(), timestamptz 'epoch') - m * interval '1 minute', 1, 1
    from tenants, generate_series(1, ${features}::int) as f, generate_series(0, ${minutes - 1}::int) as m where name = ${tenant}`
  // A new billing day rebuilds the counters from the rollups.
  const days = await database<{ day: number }[]>`
    select extract(day from now() + step * interval '1 day')::int as day from generate_series(2, 1, -1) as step`
  for (const { day } of days)
    await database`select update_tenant(id, null, null, ${day}, null) from tenants where name = ${tenant}`
}
