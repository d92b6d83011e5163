import { type Load, generator, hammer } from './_hammer.ts'
import { AUTHORIZATION } from './_key.ts'
import { type Row, against, figure, inTurns, median, reaches, row } from './_measure.ts'
import { openLoop } from './_open_loop.ts'
import type { Stage } from './_stage.ts'

const ROUNDS = 7
const SECONDS = 2
const TENANTS = 1_000
const ASK = { feature: 'gpt-4-turbo', tokens: 1500 }
const CHECK: Load = { path: '/api/check', body: JSON.stringify({ tenant: 'tenant-1', ...ASK }) }
const RESERVE: Load = { path: '/api/reservations', body: JSON.stringify({ tenant: 'tenant-1', ...ASK }) }
const RESERVE_MANY = { ...RESERVE, body: RESERVE.body.replace('tenant-1', 'TENANT'), tenants: TENANTS }

/** Checks for one tenant, from memory. */
export const checks = (stage: Stage): Promise<Row> =>
  measure(stage, 'checks/s, against bare node:http', '>= 0.6', CHECK)

/** Reservations for a thousand tenants in turn, each durable before its answer. */
export const reservationsMany = (stage: Stage): Promise<Row> =>
  measure(stage, `reservations/s of ${TENANTS} tenants, against bare node:http`, '>= 0.4', RESERVE_MANY)

/** Reservations for one tenant: all use the same counter. */
export const reservationsHot = (stage: Stage): Promise<Row> =>
  measure(stage, 'reservations/s of one tenant, against bare node:http', '>= 0.2', RESERVE)

async function measure(stage: Stage, name: string, target: string, load: Load): Promise<Row> {
  await prepare(stage)
  const server = await stage.serve(['quota-check', 'reservation-create'])
  const sample = await post(server.url, load)
  const bare = await stage.bare(sample.status, sample.text)
  let granted = 0
  const [ours, theirs] = await inTurns(
    ROUNDS,
    async () => {
      const result = await hammer(server, SECONDS, load)
      granted += result.answered
      return result
    },
    () => hammer(bare, SECONDS, load),
  )
  await server.stop()
  await bare.stop()
  if (load.path === RESERVE.path) await expectHeld(stage, granted)
  const rates = [ours, theirs].map((results) => results.map(({ rate }) => rate)) as [number[], number[]]
  const cores = median(ours.flatMap((result) => result.cores ?? []))
  return row(name, target, rates, `${against(rates, 'requests/s')}; ${generator}, ${figure(cores)} cores`)
}

/** Tenants whose quotas are too large for a benchmark to fill. */
async function prepare({ database }: Stage): Promise<void> {
  await database`truncate events, rollups, usage_hours, usage_periods, usage_features, reservations`
  await database`
    insert into tenants (name, monthly_quota)
    select 'tenant-' || i, 1e15 from generate_series(1, ${TENANTS}) i
    on conflict do nothing`
}

/**
 * Every 201 must be a row and a hold. The generator may have missed some answers, so there may be more, but never
 * fewer.
 */
async function expectHeld({ database }: Stage, granted: number): Promise<void> {
  const [stored] = await database<{ rows: number; tokens: number; held: number }[]>`
    select count(*) as rows, coalesce(sum(tokens), 0)::bigint as tokens,
           (select coalesce(sum(reserved_tokens), 0)::bigint from usage_periods) as held from reservations`
  if (!stored || stored.rows < granted || stored.tokens !== stored.held)
    throw new Error(
      `${granted} reservations were granted, but ${stored?.rows} stored, ${stored?.held} of ${stored?.tokens} held`,
    )
}

async function post(url: string, { path, body }: Load): Promise<{ status: number; text: string }> {
  const headers = { ...AUTHORIZATION, 'content-type': 'application/json' }
  const answer = await fetch(url + path, { method: 'POST', headers, body: body.replace('TENANT', 'tenant-1') })
  return { status: answer.status, text: await answer.text() }
}

const RPS = 1_000
const LATENCY_SECONDS = 20

/** P99 of checks at 1,000 open-loop requests a second. */
export const checkLatency = (stage: Stage): Promise<Row> => latency(stage, 'checks', CHECK, 2)

/** P99 of reservations for a thousand tenants at 1,000 open-loop requests a second. */
export const reservationLatency = (stage: Stage): Promise<Row> => latency(stage, 'reservations', RESERVE_MANY, 5)

async function latency(stage: Stage, what: string, load: Load, limitMs: number): Promise<Row> {
  await prepare(stage)
  const server = await stage.serve(['quota-check', 'reservation-create'])
  const { p50, p99 } = await openLoop(server.url, load, RPS, LATENCY_SECONDS)
  await server.stop()
  const ratio = p99 / limitMs
  return {
    name: `P99 of ${what} at ${RPS} requests/s, against ${limitMs} ms`,
    ratio,
    target: '<= 1',
    pass: reaches(ratio, '<= 1'),
    spread: [ratio, ratio],
    detail: `P50 ${figure(p50)} ms, P99 ${figure(p99)} ms, with up to 1 ms of the generator's own`,
  }
}
