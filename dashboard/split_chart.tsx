import { useMemo, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { ask, pathOf } from './api.ts'
import { type Metric, inFull } from './amounts.ts'
import { Chart, colour } from './chart.tsx'
import { exact, momentIn, percent } from './format.ts'
import { useLive } from './live.ts'
import { useLoaded, useMinute, useThrottled } from './loaded.ts'
import { RANGES, type Range, RangePicker, STEP_MS } from './range_picker.tsx'
import type { PartProps } from './part_props.ts'
import { userPath } from './router.ts'

interface Point {
  start: string
  totalTokens: number
  eventCount: number
  cost: string
  unpricedEvents: number
}
interface Answer {
  features?: { feature: string | null; points: Point[] }[]
  values?: { value: string | null; points: Point[] }[]
  from: string
  to: string
}
/** Of each value, or of all others (null), an amount per step. */
interface Series {
  values: { value: string | null; points: { start: string; amount: number; unpriced: number }[] }[]
  from: string
  to: string
}

/** One colour for each value shown, and one for all others. */
const COLOURS = Array.from({ length: 10 }, (_, i) => i)

const nameOf = (value: string | null): string => value ?? 'all others'

const METRICS: Record<Metric, string> = { tokens: 'Tokens', requests: 'Requests', cost: 'Cost' }

const amountOf = (metric: Metric, { totalTokens, eventCount, cost }: Point): number =>
  metric === 'cost' ? Number(cost) : metric === 'requests' ? eventCount : totalTokens

/** What was used over time, split by feature, model, user or a dimension, as stacked bars and as a table. */
export function SplitChart({ tenant, live, dimensions }: PartProps & { dimensions: string[] }) {
  const row = useLive(live).tenants.get(tenant.id)
  const [range, setRange] = useState<Range>({ name: 'day', step: 'hour' })
  const [by, setBy] = useState('feature')
  const [metric, setMetric] = useState<Metric>('tokens')
  const [at, setAt] = useState<number>()
  /** Minutes are kept by feature and pool alone. */
  const step = !['feature', 'pool'].includes(by) && range.step === 'minute' ? 'hour' : range.step
  const choose = (name: string) => {
    setBy(name)
    if (name === 'pool') setMetric('tokens') // requests and cost have none
  }
  const events = useThrottled(row?.eventCount, 2_000)
  const minute = useMinute()
  const { value: series, error } = useLoaded(
    async (): Promise<Series> => {
      const [from, to] = boundsOf(range, row?.periodStart)
      const path = pathOf`/api/usage/${tenant.id}/series?by=${by}&metric=${metric}&step=${step}&from=${from}&to=${to}`
      const answer = await ask<Answer>('GET', path)
      const given = answer.values ?? answer.features?.map(({ feature: value, points }) => ({ value, points })) ?? []
      const values = given.map(({ value, points }) => ({
        value,
        points: points.map((point) => ({
          start: point.start,
          amount: amountOf(metric, point),
          unpriced: point.unpricedEvents,
        })),
      }))
      return { ...answer, values }
    },
    live,
    tenant.id,
    JSON.stringify([range, by, metric, events, minute]),
  )
  const table = useMemo(() => series && stack(series, step), [series])
  const values = series?.values ?? []
  const colours = useColours(values)
  const totals = values.map(({ points }) => points.reduce((sum, { amount }) => sum + amount, 0))
  const sum = totals.reduce((a, b) => a + b, 0)
  return (
    <section class="panel" aria-labelledby="by-feature">
      <div class="tools">
        <div>
          <h2 id="by-feature">
            {METRICS[metric]} by {by}
          </h2>
          <span class="muted">Times in {tenant.timezone}</span>
        </div>
        <div role="group" aria-label="Count" class="segments">
          {(Object.keys(METRICS) as Metric[]).map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={metric === name}
              disabled={by === 'pool' && name !== 'tokens'}
              onClick={() => setMetric(name)}
            >
              {METRICS[name]}
            </button>
          ))}
        </div>
        <div role="group" aria-label="Split by" class="segments">
          {['feature', 'model', 'user', 'pool', ...dimensions].map((name) => (
            <button key={name} type="button" aria-pressed={by === name} onClick={() => choose(name)}>
              {name}
            </button>
          ))}
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
          label={`${METRICS[metric]} by ${by} over time, ${inFull(metric, sum)}; the table below has the figures`}
          height={240}
          kind={JSON.stringify([values.map(({ value }) => value), step])}
          timezone={tenant.timezone}
          data={table.stacked}
          options={() => ({
            cursor: { y: false, drag: { x: false, y: false }, points: { show: false }, dataIdx: stepAt },
            scales: { x: { range: (_, min, max) => [min, max + STEP_MS[step] / 1000] } },
            series: [{}, ...colours.map(bars).toReversed()],
            hooks: { setCursor: [({ cursor }) => setAt(cursor.idxs?.[1] ?? undefined)] },
          })}
        />
      ) : (
        <p class="muted empty">{series ? `Nothing by ${by} in this range.` : 'Loading …'}</p>
      )}
      {values.length > 0 && (
        <table class="features">
          <thead>
            <tr>
              <th scope="col">{by[0]!.toUpperCase() + by.slice(1)}</th>
              <th scope="col">{METRICS[metric]}</th>
              <th scope="col">Share</th>
              <th scope="col">
                {at !== undefined && table?.times[at] !== undefined
                  ? momentIn(new Date(table.times[at] * 1000).toISOString(), tenant.timezone)
                  : 'At the pointer'}
              </th>
            </tr>
          </thead>
          <tbody>
            {values.map(({ value, points }, i) => (
              <tr key={value}>
                <th scope="row">
                  <span>
                    <i class="swatch" style={{ background: `var(--series-${colours[i]!})` }} />
                    <Name
                      value={value}
                      href={by === 'user' && value !== null ? userPath(tenant.id, value) : undefined}
                    />
                  </span>
                </th>
                <td>
                  {inFull(metric, totals[i]!)}
                  {metric === 'cost' && <Unpriced points={points} />}
                </td>
                <td>{percent(sum === 0 ? 0 : (totals[i]! / sum) * 100)}</td>
                <td>{at === undefined ? '' : inFull(metric, table?.own[i]?.[at] ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

/** A value, and a link to its page if it has one. */
const Name = ({ value, href }: { value: string | null; href: string | undefined }) => {
  const name = <bdi title={nameOf(value)}>{nameOf(value)}</bdi>
  return href === undefined ? name : <a href={href}>{name}</a>
}

/** Of how many events the cost is unknown, and not in the figure before it. */
function Unpriced({ points }: Pick<Series['values'][0], 'points'>) {
  const count = points.reduce((sum, { unpriced }) => sum + unpriced, 0)
  return count > 0 ? <span class="muted"> and {exact(count)} unpriced</span> : null
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

/** A value keeps its colour while the page is open, even when others overtake it. A new one gets a free colour. */
function useColours(values: Series['values']): number[] {
  const known = useRef(new Map<string, number>()).current
  const names = values.flatMap(({ value }) => value ?? [])
  for (const name of known.keys()) if (!names.includes(name)) known.delete(name)
  for (const name of names)
    if (!known.has(name)) known.set(name, COLOURS.find((i) => ![...known.values()].includes(i)) ?? 0)
  return values.map(({ value }) => (value === null ? COLOURS.length : known.get(value)!))
}

function boundsOf(range: Range, periodStart = new Date(0).toISOString()): [from: string, to: string] {
  if (range.name === 'custom') return [range.from, range.to]
  const now = Date.now() + 1
  const ms = RANGES[range.name].ms
  return [ms === undefined ? periodStart : new Date(now - ms).toISOString(), new Date(now).toISOString()]
}

/**
 * Stacks the values, each on those before it, and draws from the top, so that smaller sums cover larger ones. Steps
 * without events are 0.
 */
function stack({ values: shown, from, to }: Series, step: keyof typeof STEP_MS) {
  const known = new Set(shown.flatMap(({ points }) => points.map(({ start }) => Date.parse(start))))
  if (known.size === 0) return undefined
  const first = Math.min(...known)
  const ms = STEP_MS[step]
  // Where clocks go forward, a day begins an hour off: do not fill in a step next to an existing one.
  for (let at = first; at > Date.parse(from) - ms; at -= ms) if (!isNear(known, at, ms)) known.add(at)
  for (let at = first; at < Date.parse(to); at += ms) if (!isNear(known, at, ms)) known.add(at)
  const starts = [...known].sort((a, b) => a - b)
  const place = new Map(starts.map((at, i) => [at, i]))
  const own = shown.map(({ points }) => {
    const values = starts.map(() => 0)
    for (const { start, amount } of points) values[place.get(Date.parse(start))!] = amount
    return values
  })
  const sums: number[][] = []
  for (const values of own) sums.push(values.map((value, i) => value + (sums.at(-1)?.[i] ?? 0)))
  const times = starts.map((at) => at / 1000)
  return { times, own, stacked: [times, ...sums.toReversed()] as uPlot.AlignedData }
}

const isNear = (known: Set<number>, at: number, ms: number): boolean =>
  known.has(at) || (ms === STEP_MS.day && [-120, -60, -30, 30, 60, 120].some((shift) => known.has(at + shift * 60_000)))
