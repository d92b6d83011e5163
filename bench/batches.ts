import { Agent, request } from 'undici'
import { v7 as uuidv7 } from 'uuid'
import type { Event } from '../lib/events/event.ts'
import { AUTHORIZATION } from './_key.ts'
import { type Row, against, inTurns, row } from './_measure.ts'
import type { Stage } from './_stage.ts'

const ROUNDS = 7
const BATCHES = 60
const BATCH_EVENTS = 1_000
/** What a worker records at once by default. */
const CONNECTIONS = 4
const TENANTS = ['acme-corp', 'globex-inc', 'initech-llc']

/**
 * Events per second in batches of 1,000, from socket to committed rollup, compared with plain SQL for the same rows.
 */
export async function batches(stage: Stage): Promise<Row> {
  const { database } = stage
  await database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  const env = { ...stage.streamEnv(), WORKER_CONCURRENCY: String(CONNECTIONS) }
  const server = await stage.serve(['event-ingest'], env)
  const worker = await stage.work(['rollup'], env)
  const dispatcher = new Agent()
  const tenants = new Map(
    (await database<{ id: string; name: string }[]>`select id, name from tenants`).map(({ id, name }) => [name, id]),
  )
  // The counter changes in the transaction of the rollups and is one row per tenant, so polling it costs nothing.
  const counted = async () =>
    (await database<{ n: number }[]>`select coalesce(sum(event_count), 0)::bigint as n from usage_periods`)[0]!.n

  const pipeline = async () => {
    const bodies = Array.from({ length: BATCHES }, () => JSON.stringify(inputs()))
    const before = await counted()
    const startedAt = performance.now()
    await atOnce(bodies, async (body) => {
      const answer = await request(`${server.url}/api/events`, {
        method: 'POST',
        headers: { ...AUTHORIZATION, 'content-type': 'application/json' },
        body,
        dispatcher,
      })
      await answer.body.dump()
      if (answer.statusCode !== 201) throw new Error(`a batch was answered ${answer.statusCode}`)
    })
    while ((await counted()) < before + BATCHES * BATCH_EVENTS) await new Promise((resolve) => setTimeout(resolve, 5))
    return (BATCHES * BATCH_EVENTS * 1000) / (performance.now() - startedAt)
  }
  await database`drop table if exists plain_events, plain_rollups`
  await database`create table plain_events (like events including all)`
  await database`create table plain_rollups (like rollups including all)`
  /** What one connection achieves with the same rows if it only inserts them and adds them up. */
  const alone = async () => {
    const groups = Array.from({ length: BATCHES }, () => inputs().map((input) => toEvent(input, tenants)))
    const startedAt = performance.now()
    for (const events of groups) await database.unsafe(PLAIN, columns(events) as never[], { prepare: true })
    return (BATCHES * BATCH_EVENTS * 1000) / (performance.now() - startedAt)
  }
  const series = await inTurns(ROUNDS, pipeline, alone)
  await dispatcher.close()
  await server.stop()
  await worker.stop()
  await expectCounted(stage, (ROUNDS + 1) * BATCHES * BATCH_EVENTS)
  const name = 'batches of 1,000, socket to committed rollup, one worker, against plain inserts on one connection'
  return row(name, '>= 0.85', series, against(series, 'events/s'))
}

/** Inserts the rows and upserts their sums by the minute, in one transaction. */
const PLAIN = `
  with inserted as (
    insert into plain_events (tenant_id, id, feature, tokens, created_at, received_at)
    select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
    on conflict do nothing returning tenant_id, feature, created_at, tokens
  )
  insert into plain_rollups as r (tenant_id, feature, minute, total_tokens, event_count)
  select tenant_id, feature, date_bin('1 minute', created_at, timestamptz 'epoch'), sum(tokens), count(*)
  from inserted group by 1, 2, 3
  on conflict (tenant_id, feature, minute) do update
  set total_tokens = r.total_tokens + excluded.total_tokens, event_count = r.event_count + excluded.event_count`

const columns = (events: Event[]): unknown[] => [
  events.map(({ tenantId }) => tenantId),
  events.map(({ id }) => id),
  events.map(({ feature }) => feature),
  events.map(({ tokens }) => tokens),
  events.map(({ createdAt }) => new Date(createdAt).toISOString()),
  events.map(({ receivedAt }) => new Date(receivedAt).toISOString()),
]

/** Figures from a pipeline that loses events or counts them twice would be worthless. */
async function expectCounted({ database }: Stage, sent: number): Promise<void> {
  const [stored] = await database<{ n: number }[]>`select count(*) as n from events`
  const [counted] = await database<{ n: number }[]>`
    select coalesce(sum(event_count), 0)::bigint as n from rollups`
  if (stored?.n !== sent || counted?.n !== sent)
    throw new Error(`${sent} events were sent, ${stored?.n} are stored, ${counted?.n} are counted`)
}

interface Input {
  tenant: string
  feature: string
  tokens: number
  id: string
}

const inputs = (): Input[] =>
  Array.from({ length: BATCH_EVENTS }, (_, i) => ({
    tenant: TENANTS[i % 3]!,
    feature: `feature-${i % 10}`,
    tokens: 1 + (i % 2000),
    id: uuidv7(),
  }))

function toEvent({ tenant, ...event }: Input, tenants: Map<string, string>): Event {
  const now = Date.now()
  return { ...event, tenantId: tenants.get(tenant)!, createdAt: now, receivedAt: now }
}

async function atOnce<T>(items: T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items]
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item)
    }),
  )
}
