import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import { EVENTS } from './_hammer.ts'
import { AUTHORIZATION } from './_key.ts'
import { type Row, figure, inTurns, median, reaches, row } from './_measure.ts'
import { openLoop } from './_open_loop.ts'
import type { Stage } from './_stage.ts'

const RPS = 1_000
/** With the warm-up, four turns for each side. */
const ROUNDS = 3
const SECONDS = 15
const ANSWER = '{"success":true,"eventId":"019a9a3c-0f0e-7b7a-9c36-7f4c1f0c2d11"}'

/**
 * P99 of single events through Valkey at 1,000 open-loop requests a second, a minute in all, compared with the bare
 * server.
 */
export async function latency(stage: Stage): Promise<Row> {
  const env = stage.streamEnv()
  const server = await stage.serve([], env)
  const worker = await stage.work([], env)
  const bare = await stage.bare(201, ANSWER)
  const [ours, theirs] = await inTurns(
    ROUNDS,
    () => openLoop(server.url, EVENTS, RPS, SECONDS),
    () => openLoop(bare.url, EVENTS, RPS, SECONDS),
  )
  for (const running of [server, worker, bare]) await running.stop()
  const p99 = [ours, theirs].map((series) => series.map((result) => result.p99)) as [number[], number[]]
  const p50 = figure(median(ours.map((result) => result.p50)))
  const detail = `P99 ${figure(median(p99[0]))} against ${figure(median(p99[1]))} ms, P50 ${p50} ms (5 ms is the aim)`
  return row(`P99 of single events at ${RPS} requests/s, against bare node:http`, '<= 5', p99, detail)
}

const LIMIT_MS = 100
const PROBES = 300

/** From the 201 until the event's tokens show in `GET /api/usage`, at 1,000 events a second through Valkey. */
export async function freshness(stage: Stage): Promise<Row> {
  const env = stage.streamEnv()
  const server = await stage.serve([], env)
  const worker = await stage.work([], env)
  const times: number[] = []
  let running = true
  const load = openLoop(server.url, EVENTS, RPS, 25)
  const headers = { ...AUTHORIZATION, 'content-type': 'application/json' }
  const used = async () => {
    const answer = await request(`${server.url}/api/usage/globex-inc`, { headers: AUTHORIZATION })
    return ((await answer.body.json()) as { eventCount: number }).eventCount
  }
  const probing = (async () => {
    await sleep(2_000)
    for (let probe = 0; probe < PROBES && running; probe++) {
      const before = await used()
      const body = JSON.stringify({ tenant: 'globex-inc', feature: 'probe', tokens: 1 })
      await (await request(`${server.url}/api/events`, { method: 'POST', headers, body })).body.dump()
      const acceptedAt = performance.now()
      while ((await used()) === before) if (!running) return
      times.push(performance.now() - acceptedAt)
      await sleep(20)
    }
  })()
  await load
  running = false
  await probing
  await server.stop()
  await worker.stop()
  if (times.length < PROBES / 2) throw new Error(`only ${times.length} of ${PROBES} events became visible in time`)
  const sorted = times.toSorted((a, b) => a - b)
  const p99 = sorted[Math.floor(sorted.length * 0.99)]!
  const ratio = p99 / LIMIT_MS
  return {
    name: `accepted → visible in usage, P99 at ${RPS} events/s, against ${LIMIT_MS} ms`,
    ratio,
    target: '<= 1',
    pass: reaches(ratio, '<= 1'),
    spread: [ratio, ratio],
    detail: `P50 ${figure(median(times))} ms, P99 ${figure(p99)} ms of ${times.length} events`,
  }
}
