import { useMemo } from 'preact/hooks'
import type uPlot from 'uplot'
import { ask, pathOf } from './api.ts'
import { Chart, colour } from './chart.tsx'
import { exact, levelOf, percent } from './format.ts'
import type { Live } from './live.ts'
import { useLoaded, useMinute } from './loaded.ts'

interface Series {
  points: { start: string; totalTokens: number }[]
}

/** A quota in its open period. */
export interface QuotaPeriod {
  tenant: string
  /** undefined: all features. */
  feature?: string | undefined
  tokenLimit: number
  totalTokens: number
  quotaPercent: number
  thresholds: number[]
  periodStart: string
  periodEnd: string
  /** Draws a straight line on from here at this pace. */
  tokensPerSecond?: number
}

interface Props {
  quota: QuotaPeriod
  timezone: string
  live: Live
  height: number
}

/** If closer to each other, only the lower one gets a label. */
const LABEL_HEIGHT = 14
const SHORT_MS = 2 * 86_400_000

/** The course of a quota in its period, with its thresholds, and where the pace of the last 24 hours leads. */
export function PeriodChart({ quota, timezone, live, height }: Props) {
  const { tenant, feature, periodStart, periodEnd, quotaPercent, thresholds } = quota
  const [start, end] = [Date.parse(periodStart) / 1000, Date.parse(periodEnd) / 1000]
  const { value: series } = useLoaded(
    () => {
      const step = (end - start) * 1000 < SHORT_MS ? 'minute' : 'hour'
      const path = pathOf`/api/usage/${tenant}/series?step=${step}&from=${periodStart}&to=${new Date().toISOString()}`
      return ask<Series>('GET', path + (feature === undefined ? '' : pathOf`&feature=${feature}`))
    },
    live,
    tenant,
    `${periodStart} ${useMinute()}`,
  )
  const data = useMemo(() => lines(series?.points ?? [], quota), [series, quota.totalTokens, quota.tokensPerSecond])
  const level = levelOf(quotaPercent, thresholds)
  // In quarters of the limit, so that events beyond it do not each create the chart again.
  const most = (Math.ceil(Math.max(1, quota.totalTokens / quota.tokenLimit) * 4) / 4) * quota.tokenLimit * 1.08
  const limits = thresholds.includes(100) ? thresholds : [...thresholds, 100]
  return (
    <Chart
      label={
        `Tokens of the period: ${exact(quota.totalTokens)}, ${percent(quotaPercent)} of the quota. ` +
        `Thresholds: ${thresholds.join(', ')} percent.`
      }
      height={height}
      timezone={timezone}
      kind={[level, most, start, end, ...limits].join()}
      data={data}
      options={() => ({
        cursor: { show: false },
        scales: { y: { range: [0, most] }, x: { range: [start, end] } },
        series: [
          {},
          { stroke: colour(level), fill: `${colour(level)}22`, width: 2, points: { show: false } },
          { stroke: colour('muted'), width: 1.5, dash: [2, 5], points: { show: false } },
        ],
        hooks: { draw: [(chart) => drawLimits(chart, limits, quota.tokenLimit)] },
      })}
    />
  )
}

/** The sum of the steps, ending with the counter's value, which includes what was counted since the steps were read. */
function lines(points: Series['points'], quota: QuotaPeriod): uPlot.AlignedData {
  const [start, end, now] = [Date.parse(quota.periodStart), Date.parse(quota.periodEnd), Date.now()].map(
    (ms) => ms / 1000,
  ) as [number, number, number]
  let sum = 0
  const [times, used]: [number[], (number | null)[]] = [[start], [0]]
  for (const point of points) {
    times.push(Math.max(start, Date.parse(point.start) / 1000))
    used.push(sum)
    sum += point.totalTokens
  }
  times.push(now, Math.max(now, end))
  used.push(quota.totalTokens, null)
  const pace = quota.tokensPerSecond
  const ahead = times.map((time) =>
    pace !== undefined && time >= now ? quota.totalTokens + pace * (time - now) : null,
  )
  return [times, used, ahead]
}

function drawLimits(chart: uPlot, limits: number[], quota: number): void {
  const { ctx, bbox } = chart
  ctx.save()
  ctx.textAlign = 'left'
  ctx.textBaseline = 'bottom'
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`
  let labelled = Infinity
  for (const limit of limits.toSorted((a, b) => a - b)) {
    const y = Math.round(chart.valToPos((quota * limit) / 100, 'y', true))
    if (y < bbox.top) continue
    ctx.strokeStyle = ctx.fillStyle = colour(limit >= 100 ? 'over' : 'warning')
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
    if (labelled - y < LABEL_HEIGHT * devicePixelRatio) continue
    ctx.fillText(`${limit} %`, bbox.left + 6 * devicePixelRatio, y - 2 * devicePixelRatio)
    labelled = y
  }
  ctx.restore()
}
