import autocannon from 'autocannon'

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
  requestsPerSecond?: number
}

/** Requests per second, and how many were answered 2xx. Throws when any was not. */
export async function hammer({
  url,
  seconds,
  method = 'POST',
  connections = 256,
  requestsPerSecond,
}: Load): Promise<{ rate: number; answered: number; p50: number }> {
  const result = await autocannon({
    url,
    method,
    connections,
    duration: seconds,
    workers: 2,
    ...(requestsPerSecond && { overallRate: requestsPerSecond }),
    ...(method === 'POST' && { body: EVENT, headers: { 'content-type': 'application/json' } }),
  })
  const failed = result.non2xx + result.errors + result.timeouts
  if (failed > 0) throw new Error(`${failed} requests to ${url} failed`)
  return { rate: result['2xx'] / result.duration, answered: result['2xx'], p50: result.latency.p50 }
}
