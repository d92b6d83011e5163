import { useMemo, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { ask, pathOf } from './api.ts'
import { Chart, colour } from './chart.tsx'
import { exact, momentIn, percent } from './format.ts'
import { useLive } from './live.ts'
import { useLoaded, useMinute, useThrottled } from './loaded.ts'
import { RANGES, type Range, RangePicker, STEP_MS } from './range_picker.tsx'
import type { PartProps } from './part_props.ts'

interface Point {
  start: string
  totalTokens: number
}
interface Series {
  points: Point[]
  features: { feature: string | null; points: Point[] }[]
  from: string
  to: string
}

/** One colour for each feature shown, and one for all others. */
const FEATURE_COLOURS = Array.from({ length: 10 }, (_, i) => i)

const nameOf = (feature: string | null): string => feature ?? 'all others'

/** Tokens by feature over time, as stacked bars and as a table. */
export function FeatureChart({ tenant, live }: PartProps) {
  const row = useLive(live).tenants.get(tenant.id)
  const [range, setRange] = useState<Range>({ name: 'day', step: 'hour' })
  const [at, setAt] = useState<number>()
  const events = useThrottled(row?.eventCount, 2_000)
  const minute = useMinute()
  const { value: series, error } = useLoaded(
    () => {
      const [from, to] = boundsOf(range, row?.periodStart)
      return ask<Series>(
        'GET',
        pathOf`/api/usage/${tenant.id}/series?by=feature&step=${range.step}&from=${from}&to=${to}`,
      )
    },
    live,
    tenant.id,
    JSON.stringify([range, events, minute]),
  )
  const table = useMemo(() => series && stack(series, range.step), [series])
  const features = series?.features ?? []
  const colours = useColours(features)
  const totals = features.map(({ points }) => points.reduce((sum, point) => sum + point.totalTokens, 0))
  const sum = totals.reduce((a, b) => a + b, 0)
  return (
    <section class="panel" aria-labelledby="by-feature">
      <div class="tools">
        <div>
          <h2 id="by-feature">Tokens by feature</h2>
          <span class="muted">Times in {tenant.timezone}</span>
        </div>
        <RangePicker range={range} onChange={setRange} periodStart={row?.periodStart} timezone={tenant.timezone} />
      </div>
      {error && (
        <p class="problem" role="alert">
          {error.message}
        </p>
      )}
      {table ? (
        <Chart
          label={`${exact(sum)} tokens by feature over time; the table below has the figures`}
          height={240}
          kind={JSON.stringify([features.map(({ feature }) => feature), range.step])}
          timezone={tenant.timezone}
          data={table.stacked}
          options={() => ({
            cursor: { y: false, drag: { x: false, y: false }, points: { show: false }, dataIdx: stepAt },
            scales: { x: { range: (_, min, max) => [min, max + STEP_MS[range.step] / 1000] } },
            series: [{}, ...colours.map(bars).toReversed()],
            hooks: { setCursor: [({ cursor }) => setAt(cursor.idxs?.[1] ?? undefined)] },
          })}
        />
      ) : (
        <p class="muted empty">{series ? 'No tokens in this range.' : 'Loading …'}</p>
      )}
      {features.length > 0 && (
        <table class="features">
          <thead>
            <tr>
              <th scope="col">Feature</th>
              <th scope="col">Tokens</th>
              <th scope="col">Share</th>
              <th scope="col">
                {at !== undefined && table?.times[at] !== undefined
                  ? momentIn(new Date(table.times[at] * 1000).toISOString(), tenant.timezone)
                  : 'At the pointer'}
              </th>
            </tr>
          </thead>
          <tbody>
            {features.map(({ feature }, i) => (
              <tr key={feature}>
                <th scope="row">
                  <span>
                    <i class="swatch" style={{ background: `var(--series-${colours[i]!})` }} />
                    <bdi title={nameOf(feature)}>{nameOf(feature)}</bdi>
                  </span>
                </th>
                <td>{exact(totals[i]!)}</td>
                <td>{percent((totals[i]! / Math.max(1, sum)) * 100)}</td>
                <td>{at === undefined ? '' : exact(table?.own[i]?.[at] ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

/** A bar spans its step from beginning to end. */
const bars = (i: number): uPlot.Series => ({
  fill: colour(`series-${i}`),
  stroke: colour(`series-${i}`),
  width: 0,
  points: { show: false },
  paths: uPlot.paths.bars!({ size: [0.88, Infinity], align: 1 }),
})

/** The step under the pointer, which is not always the one with the nearest beginning. */
const stepAt: uPlot.Cursor.DataIdxRefiner = (chart, _series, nearest, at) =>
  nearest > 0 && chart.data[0][nearest]! > at ? nearest - 1 : nearest

/** A feature keeps its colour while the page is open, even when others overtake it. A new one gets a free colour. */
function useColours(features: Series['features']): number[] {
  const known = useRef(new Map<string, number>()).current
  const names = features.flatMap(({ feature }) => feature ?? [])
  for (const name of known.keys()) if (!names.includes(name)) known.delete(name)
  for (const name of names)
    if (!known.has(name)) known.set(name, FEATURE_COLOURS.find((i) => ![...known.values()].includes(i)) ?? 0)
  return features.map(({ feature }) => (feature === null ? FEATURE_COLOURS.length : known.get(feature)!))
}

function boundsOf(range: Range, periodStart = new Date(0).toISOString()): [from: string, to: string] {
  if (range.name === 'custom') return [range.from, range.to]
  const now = Date.now() + 1
  const ms = RANGES[range.name].ms
  return [ms === undefined ? periodStart : new Date(now - ms).toISOString(), new Date(now).toISOString()]
}

/**
 * Stacks the features, each on those before it, and draws from the top, so that smaller sums cover larger ones. Steps
 * without tokens are 0.
 */
function stack({ features, from, to }: Series, step: keyof typeof STEP_MS) {
  const known = new Set(features.flatMap(({ points }) => points.map(({ start }) => Date.parse(start))))
  if (known.size === 0) return undefined
  const first = Math.min(...known)
  const ms = STEP_MS[step]
  // Where clocks go forward, a day begins an hour off: do not fill in a step next to an existing one.
  for (let at = first; at > Date.parse(from) - ms; at -= ms) if (!isNear(known, at, ms)) known.add(at)
  for (let at = first; at < Date.parse(to); at += ms) if (!isNear(known, at, ms)) known.add(at)
  const starts = [...known].sort((a, b) => a - b)
  const place = new Map(starts.map((at, i) => [at, i]))
  const own = features.map(({ points }) => {
    const values = starts.map(() => 0)
    for (const { start, totalTokens } of points) values[place.get(Date.parse(start))!] = totalTokens
    return values
  })
  const sums: number[][] = []
  for (const values of own) sums.push(values.map((value, i) => value + (sums.at(-1)?.[i] ?? 0)))
  const times = starts.map((at) => at / 1000)
  return { times, own, stacked: [times, ...sums.toReversed()] as uPlot.AlignedData }
}

const isNear = (known: Set<number>, at: number, ms: number): boolean =>
  known.has(at) || (ms === STEP_MS.day && [-120, -60, -30, 30, 60, 120].some((shift) => known.has(at + shift * 60_000)))
