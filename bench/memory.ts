import { setTimeout as sleep } from 'node:timers/promises'
import { reaches, type Row } from './_measure.ts'
import { residentMb } from './_process.ts'
import type { Stage } from './_stage.ts'

const LIMIT_MB = 200
const RPS = 1_000
const SECONDS = 60
const TARGET = '<= 1'

interface Report {
  accepted: number
  latencyMs: { p50: number; p99: number }
}

/** Peak memory of API (all handlers) and worker (all consumers) together, under 1,000 requests a second. */
export async function memory(stage: Stage): Promise<Row> {
  const env = stage.streamEnv()
  const server = await stage.serve([], env)
  const worker = await stage.work([], env)
  const peak = { together: 0, api: 0, worker: 0 }
  let loading = true
  const watch = (async () => {
    for (; loading; await sleep(100)) {
      const [api, work] = [await residentMb(server.pid), await residentMb(worker.pid)]
      if (api + work > peak.together) Object.assign(peak, { together: api + work, api, worker: work })
    }
  })()
  const load = ['load', '--rps', String(RPS), '--duration', `${SECONDS}s`, '--max-errors', '0']
  const printed = stage.run([...load, '--json', '--url', server.url]).finally(() => (loading = false))
  const [out] = await Promise.all([printed, watch])
  await server.stop()
  await worker.stop()
  const { accepted, latencyMs } = JSON.parse(out) as Report
  if (accepted < 0.99 * RPS * SECONDS) throw new Error(`only ${accepted} of ${RPS * SECONDS} events were accepted`)
  const ratio = peak.together / LIMIT_MB
  const parts = `API ${Math.round(peak.api)} + worker ${Math.round(peak.worker)} MB`
  return {
    name: `memory of API and worker at 1,000 requests/s, against ${LIMIT_MB} MB`,
    ratio,
    target: TARGET,
    pass: reaches(ratio, TARGET),
    spread: [ratio, ratio],
    detail:
      `${Math.round(peak.together)} MB (${parts}) against ${LIMIT_MB} MB; ` +
      `P50 ${latencyMs.p50} ms, P99 ${latencyMs.p99} ms`,
  }
}
