import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import autocannon from 'autocannon'
import { existsOnPath } from '../test/_valkey.ts'

/** One line of the result: a ratio between two things that were measured in turns, and the limit it is held to. */
export interface Row {
  name: string
  ratio: number
  /** `>= 0.6` or `<= 1.1`. */
  target: string
  pass: boolean
  /** Smallest and largest ratio of a round. */
  spread: [number, number]
  /** Absolute figures, for information. */
  detail: string
}

export const median = (values: number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Measures A B A B … and returns both series. The first round warms up and does not count. */
export async function inTurns(
  rounds: number,
  a: () => Promise<number>,
  b: () => Promise<number>,
): Promise<[number[], number[]]> {
  const series: [number[], number[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    const pair = [await a(), await b()] as const
    if (round > 0) for (const i of [0, 1] as const) series[i].push(pair[i])
  }
  return series
}

/** The row of two series: the median of the rounds' ratios against a target such as `>= 0.6`. */
export function row(name: string, target: string, [as, bs]: [number[], number[]], unit: string): Row {
  const ratios = as.map((a, i) => a / bs[i]!)
  const ratio = median(ratios)
  const limit = Number(target.slice(3))
  return {
    name,
    ratio,
    target,
    pass: target.startsWith('>=') ? ratio >= limit : ratio <= limit,
    spread: [Math.min(...ratios), Math.max(...ratios)],
    detail: `${figure(median(as))} against ${figure(median(bs))} ${unit}`,
  }
}

export const figure = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2)

export const EVENT = JSON.stringify({ tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens: 1500 })

interface Load {
  url: string
  seconds: number
  method?: 'GET' | 'POST'
  /** So many that the server, not the waiting for a store, is the limit. */
  connections?: number
}

const WRK = existsOnPath('wrk')
/** What makes the load: wrk takes a sixth of a core, autocannon three threads, which it takes from whoever shares the machine. */
export const GENERATOR = WRK ? 'wrk' : 'autocannon (wrk on the PATH would disturb less)'

/** Requests per second, and how many were answered 2xx. Throws when any was not. */
export async function hammer(load: Load): Promise<{ rate: number; answered: number }> {
  const { answered, failed, seconds } = WRK ? await withWrk(WRK, load) : await withAutocannon(load)
  if (failed > 0) throw new Error(`${failed} requests to ${load.url} failed`)
  return { rate: answered / seconds, answered }
}

interface Outcome {
  answered: number
  failed: number
  seconds: number
}

async function withWrk(wrk: string, { url, seconds, method = 'POST', connections = 256 }: Load): Promise<Outcome> {
  const script = join(tmpdir(), `flagmeter-bench-${process.pid}.lua`)
  await writeFile(
    script,
    method === 'POST' ? `wrk.method="POST" wrk.headers["content-type"]="application/json" wrk.body=[[${EVENT}]]` : '',
  )
  const args = ['--threads', '1', '--connections', connections, '--duration', `${seconds}s`, '--script', script, url]
  const { stdout } = await promisify(execFile)(wrk, args.map(String))
  await rm(script)
  const [, requests, took] = /(\d+) requests in ([\d.]+)s/.exec(stdout) ?? []
  const [, refused = 0] = /Non-2xx or 3xx responses: (\d+)/.exec(stdout) ?? []
  return { answered: Number(requests) - Number(refused), failed: Number(refused), seconds: Number(took) }
}

async function withAutocannon({ url, seconds, method = 'POST', connections = 256 }: Load): Promise<Outcome> {
  const result = await autocannon({
    url,
    method,
    connections,
    duration: seconds,
    workers: 2,
    ...(method === 'POST' && { body: EVENT, headers: { 'content-type': 'application/json' } }),
  })
  return { answered: result['2xx'], failed: result.non2xx + result.errors + result.timeouts, seconds: result.duration }
}
