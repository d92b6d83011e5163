import type { Terminal } from '../_command.ts'
import type { Tally } from './tally.ts'

const PLAIN_EVERY_S = 10

/** Limits for a run to meet. */
export interface Limits {
  maxP99Ms?: number
  maxErrors?: { count: number; percent: boolean }
}

/**
 * Shows progress on standard error: one line rewritten every second, or a new one every ten seconds where it can't be.
 */
export function showProgress({ err }: Terminal, tally: Tally, total: number): () => void {
  let seconds = 0
  let before = 0
  const timer = setInterval(() => {
    seconds++
    const rate = tally.requests - before
    before = tally.requests
    // Cut to the width, since a wrapped line can't be rewritten.
    if (err.isTTY) err.write(`\r\u001B[2K${progressLine(tally, total, rate).slice(0, (err.columns || 80) - 1)}`)
    else if (seconds % PLAIN_EVERY_S === 0) err.write(`${progressLine(tally, total)}\n`)
  }, 1000)
  timer.unref()
  return () => {
    clearInterval(timer)
    if (err.isTTY) err.write('\r\u001B[2K')
  }
}

function progressLine(tally: Tally, total: number, rate = (tally.requests * 1000) / tally.elapsedMs): string {
  const done = total > 0 ? Math.floor(((tally.sent + tally.dropped) / total) * 100) : 100
  const parts = [
    `${Math.round(tally.elapsedMs / 1000)} s`,
    `${Math.min(100, done)} %`,
    `sent ${number(tally.sent)}`,
    `accepted ${number(tally.accepted)}`,
    `refused ${number(tally.refused)}`,
    ...(tally.dropped > 0 ? [`dropped ${number(tally.dropped)}`] : []),
    ...(tally.retries > 0 ? [`retries ${number(tally.retries)}`] : []),
    `${number(Math.round(rate))}/s`,
    `P99 ${milliseconds(tally.percentile(99))} ms`,
    `in flight ${tally.inFlight}`,
  ]
  return parts.join('  ')
}

/** The figures of a run, as `--json` prints them. */
export function summarize(tally: Tally) {
  const seconds = tally.elapsedMs / 1000
  return {
    elapsedSeconds: round(seconds, 3),
    requests: tally.requests,
    retries: tally.retries,
    sent: tally.sent,
    accepted: tally.accepted,
    refused: tally.refused,
    dropped: tally.dropped,
    refusedBy: Object.fromEntries([...tally.refusals].map(([code, { events }]) => [code, events])),
    acceptedTokens: tally.tokens,
    eventsPerSecond: round(tally.accepted / seconds, 1),
    requestsPerSecond: round(tally.requests / seconds, 1),
    latencyMs: {
      p50: round(tally.percentile(50), 3),
      p95: round(tally.percentile(95), 3),
      p99: round(tally.percentile(99), 3),
      p999: round(tally.percentile(99.9), 3),
      max: round(tally.maxMs, 3),
    },
  }
}

/** The same for a person: labels on the left, numbers in one column, then notes. */
export function printReport({ out }: Terminal, title: string, tally: Tally): void {
  const { latencyMs, ...s } = summarize(tally)
  const rows: [string, string, string][] = [
    ['sent', number(s.sent), `events in ${number(s.requests)} requests, ${s.elapsedSeconds.toFixed(1)} s`],
    ['accepted', number(s.accepted), `events, ${number(s.acceptedTokens)} tokens`],
    ['refused', number(s.refused), 'events'],
    ...[...tally.refusals].map(([code, { events, detail }]): [string, string, string] => [
      `  ${clean(code)}`,
      number(events),
      clean(detail),
    ]),
  ]
  if (s.dropped > 0) rows.push(['dropped', number(s.dropped), 'events never went out'])
  if (s.retries > 0) rows.push(['retries', number(s.retries), 'requests'])
  rows.push(['throughput', number(s.eventsPerSecond), 'events/s'])
  for (const [name, ms] of [
    ['P50', latencyMs.p50],
    ['P95', latencyMs.p95],
    ['P99', latencyMs.p99],
    ['P99.9', latencyMs.p999],
    ['max', latencyMs.max],
  ] as const) {
    rows.push([name, milliseconds(ms), 'ms'])
  }
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length))
  const lines = rows.map(([label, value, note]) =>
    `  ${label.padEnd(width(0))}  ${value.padStart(width(1))}  ${note}`.trimEnd(),
  )
  out.write(`${title}\n\n${lines.join('\n')}\n`)
}

/** The limits that were exceeded, one part each. */
export function passedLimits(tally: Tally, limits: Limits): string[] {
  const passed: string[] = []
  const p99 = tally.percentile(99)
  if (limits.maxP99Ms !== undefined && p99 > limits.maxP99Ms) {
    passed.push(`P99 was ${milliseconds(p99)} ms, over --max-p99 ${limits.maxP99Ms}`)
  }
  if (limits.maxErrors) {
    const { count, percent } = limits.maxErrors
    const errors = tally.refused + tally.dropped
    const all = tally.sent + tally.dropped
    const share = all === 0 ? 0 : (errors / all) * 100
    if ((percent ? share : errors) > count) {
      const found = percent
        ? `${number(errors)} of ${number(all)} events (${round(share, 3)}%)`
        : `${number(errors)} events`
      passed.push(`${found} were refused or dropped, over --max-errors ${count}${percent ? '%' : ''}`)
    }
  }
  return passed
}

const number = (value: number): string => value.toLocaleString('en-US')
const milliseconds = (ms: number): string =>
  ms.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const round = (value: number, digits: number): number => Number(value.toFixed(digits))
/** Text from a server must not move the cursor. */
const clean = (text: string): string => text.replaceAll(/\p{Cc}/gu, ' ').slice(0, 120)
