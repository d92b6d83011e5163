import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Row } from './_measure.ts'
import type { Stage } from './_stage.ts'

const LIMIT_MB = 250
const SECONDS = 20

/** Memory of API and worker together at their peak, under 1,000 requests a second of `flagmeter load`. */
export async function memory(stage: Stage): Promise<Row> {
  const env = { VALKEY_URL: stage.valkey!.url, QUEUE_NAME: 'bench-memory' }
  const server = await stage.serve(['event-ingest'], env)
  const worker = await stage.work(env)
  let peak = 0
  let loading = true
  const watch = (async () => {
    for (; loading; await sleep(200))
      peak = Math.max(peak, (await residentMb(server.pid)) + (await residentMb(worker.pid)))
  })()
  const report = JSON.parse(
    await stage.run([
      'load',
      '--rps',
      '1000',
      '--duration',
      `${SECONDS}s`,
      '--max-errors',
      '0',
      '--json',
      '--url',
      server.url,
    ]),
  )
  loading = false
  await watch
  await server.stop()
  await worker.stop()
  const ratio = peak / LIMIT_MB
  const { p50, p99 } = report.latencyMs
  return {
    name: `memory of API and worker at 1,000 requests/s, against ${LIMIT_MB} MB`,
    ratio,
    target: '<= 1',
    pass: ratio <= 1,
    spread: [ratio, ratio],
    detail: `${Math.round(peak)} MB against ${LIMIT_MB} MB; p50 ${p50} ms, p99 ${p99} ms`,
  }
}

/** Resident memory of a process (Linux). */
async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1024
}
