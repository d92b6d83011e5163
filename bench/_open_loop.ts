import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import type { Load } from './_hammer.ts'
import { AUTHORIZATION } from './_key.ts'

/** Milliseconds from when a request was due to the end of its answer, so a late sender hides nothing. */
export interface Latency {
  p50: number
  p99: number
}

/**
 * Posts at a fixed rate, however fast the answers come; the first second warms up and does not count.
 * @throws if any answer is not 2xx
 */
export async function openLoop(url: string, load: Load, rps: number, seconds: number): Promise<Latency> {
  const pool = new Pool(url, { connections: 64 })
  const headers = { ...AUTHORIZATION, 'content-type': 'application/json' }
  const times: number[] = []
  const sent: Promise<void>[] = []

  async function send(turn: number, dueAt: number): Promise<void> {
    const body = load.body.replace('TENANT', `tenant-${(turn % (load.tenants ?? 1)) + 1}`)
    const answer = await pool.request({ path: load.path, method: 'POST', headers, body })
    await answer.body.dump()
    if (answer.statusCode >= 300) throw new Error(`${load.path} answered ${answer.statusCode}`)
    times.push(performance.now() - dueAt)
  }

  const startedAt = performance.now()
  for (let turn = 0; turn < rps * seconds;) {
    for (; turn < ((performance.now() - startedAt) * rps) / 1000; turn++)
      sent.push(send(turn, startedAt + (turn * 1000) / rps))
    await sleep(1)
  }
  await Promise.all(sent)
  await pool.close()
  const sorted = times.slice(rps).toSorted((a, b) => a - b)
  const at = (part: number) => sorted[Math.floor(sorted.length * part)]!
  return { p50: at(0.5), p99: at(0.99) }
}
