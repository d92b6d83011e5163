/** One row of the results: the ratio of two things measured alternately, and the limit it must meet. */
export interface Row {
  name: string
  ratio: number
  /** `>= 0.6` or `<= 1.1`. */
  target: string
  pass: boolean
  /** The smallest and largest ratio of any round. */
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
export async function inTurns<T>(rounds: number, a: () => Promise<T>, b: () => Promise<T>): Promise<[T[], T[]]> {
  const series: [T[], T[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    const pair = [await a(), await b()] as const
    if (round > 0) for (const i of [0, 1] as const) series[i].push(pair[i])
  }
  return series
}

/** The row for two series: the median of the rounds' ratios, and a target such as `>= 0.6`. */
export function row(name: string, target: string, [as, bs]: [number[], number[]], detail: string): Row {
  const ratios = as.map((a, i) => a / bs[i]!)
  const ratio = median(ratios)
  return {
    name,
    ratio,
    target,
    pass: reaches(ratio, target),
    spread: [Math.min(...ratios), Math.max(...ratios)],
    detail,
  }
}

export const reaches = (ratio: number, target: string): boolean =>
  target.startsWith('>=') ? ratio >= Number(target.slice(3)) : ratio <= Number(target.slice(3))

export const against = ([as, bs]: [number[], number[]], unit: string): string =>
  `${figure(median(as))} against ${figure(median(bs))} ${unit}`

export const figure = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2)
