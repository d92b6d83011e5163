import { execFile } from 'node:child_process'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import autocannon from 'autocannon'
import { existsOnPath } from '../test/_valkey.ts'
import { AUTHORIZATION } from './_key.ts'
import { cpuSeconds } from './_process.ts'
import type { Running } from './_stage.ts'

const run = promisify(execFile)

/**
 * At 64, both servers use almost a whole core. At 256, the bare one would lose a fifth and ours gain nothing, which
 * would flatter us.
 */
const CONNECTIONS = 64

/**
 * The request to repeat: a POST, or a GET if the body is empty. With `tenants`, `TENANT` in the body is replaced by
 * tenant-1, tenant-2, … in turn.
 */
export interface Load {
  path: string
  body: string
  tenants?: number
}
/** Single events for one tenant. */
export const EVENTS: Load = {
  path: '/api/events',
  body: JSON.stringify({ tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens: 1500 }),
}

const wrk = existsOnPath('wrk')

/** The load generator: wrk needs one thread, autocannon three, at the expense of everything else on the machine. */
export const generator = wrk ? 'wrk' : 'autocannon (wrk on the PATH would disturb less)'

/** With enough cores, all of them ours, wrk gets the last one and the server the rest. */
const cores = cpus().length
const taskset = wrk && cores >= 4 && availableParallelism() === cores ? existsOnPath('taskset') : undefined

export interface Hammered {
  /** Requests per second. */
  rate: number
  /** Answers 2xx. */
  answered: number
  /** Cores the server used: if well below 1, the generator was the limit. Undefined without /proc. */
  cores: number | undefined
}

/** Sends requests as fast as they are answered; default: single events. Throws if any answer is not 2xx. */
export async function hammer(server: Running, seconds: number, load = EVENTS): Promise<Hammered> {
  const url = server.url + load.path
  if (taskset) await run(taskset, ['-a', '-c', '-p', `0-${cores - 2}`, String(server.pid)])
  const cpuBefore = await cpuSeconds(server.pid)
  const startedAt = performance.now()
  const { rate, answered, failed } = await (wrk ? withWrk(wrk, url, seconds, load) : withAutocannon(url, seconds, load))
  const cpuAfter = await cpuSeconds(server.pid)
  if (failed > 0 || answered === 0) throw new Error(`${failed} requests to ${url} failed, ${answered} were answered`)
  const elapsed = (performance.now() - startedAt) / 1000
  return { rate, answered, cores: cpuBefore && cpuAfter && (cpuAfter - cpuBefore) / elapsed }
}

async function withWrk(command: string, url: string, seconds: number, { body, tenants = 0 }: Load) {
  const script = join(import.meta.dirname, '_post.lua')
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', script, url]
  const [program, first] = taskset ? [taskset, ['-c', String(cores - 1), command]] : [command, []]
  const { stdout } = await run(program, [...first, ...args], {
    env: {
      ...process.env,
      BENCH_BODY: body,
      BENCH_TENANTS: String(tenants),
      BENCH_AUTHORIZATION: AUTHORIZATION.authorization,
    },
  })
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? 0)
  const [, ...socketErrors] = /connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(stdout) ?? []
  const refused = number(/Non-2xx or 3xx responses: (\d+)/)
  return {
    rate: number(/Requests\/sec:\s+([\d.]+)/),
    answered: number(/(\d+) requests in/) - refused,
    failed: socketErrors.reduce((sum, count) => sum + Number(count), refused),
  }
}

async function withAutocannon(url: string, seconds: number, { body, tenants = 0 }: Load) {
  const headers = { ...AUTHORIZATION, 'content-type': 'application/json' }
  const bodies =
    tenants === 0 ? [body] : Array.from({ length: tenants }, (_, i) => body.replace('TENANT', `tenant-${i + 1}`))
  const requests = bodies.map((text) =>
    text === '' ? { method: 'GET' as const } : { method: 'POST' as const, body: text },
  )
  const load = { url, requests, headers, connections: CONNECTIONS }
  const result = await autocannon({ ...load, duration: seconds, workers: 2 })
  return {
    rate: result['2xx'] / result.duration,
    answered: result['2xx'],
    failed: result.non2xx + result.errors + result.timeouts,
  }
}
