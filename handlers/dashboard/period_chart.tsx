import { useMemo } from 'preact/hooks'
import type uPlot from 'uplot'
import type { OverviewUsage } from '../../lib/overview.ts'
import type { Tenant } from '../../lib/tenant_admin.ts'
import { ask, pathOf } from './api.ts'
import { Chart, colour } from './chart.tsx'
import { exact, levelOf, percent } from './format.ts'
import type { Live } from './live.ts'
import { useLoaded } from './loaded.ts'

interface Series {
  points: { start: string; totalTokens: number }[]
}

/** How the period has gone so far, its thresholds, and where the pace of the last 24 hours leads: a straight line. */
export function PeriodChart({ tenant, row, live }: { tenant: Tenant; row: OverviewUsage; live: Live }) {
  const { value: series } = useLoaded(
    () => {
      const to = new Date().toISOString()
      return ask<Series>('GET', pathOf`/api/usage/${tenant.id}/series?step=hour&from=${row.periodStart}&to=${to}`)
    },
    live,
    tenant.id,
    `${row.periodStart} ${Math.floor(Date.now() / 60_000)}`,
  )
  const data = useMemo(() => lines(series?.points ?? [], row), [series, row])
  const level = levelOf(row.quotaPercent, row.thresholds)
  const most = Math.max(row.monthlyQuota, row.totalTokens) * 1.08
  const limits = row.thresholds.includes(100) ? row.thresholds : [...row.thresholds, 100]
  return (
    <Chart
      label={`Tokens of the period: ${exact(row.totalTokens)}, ${percent(row.quotaPercent)} of the quota. Thresholds: ${row.thresholds.join(', ')} percent.`}
      height={220}
      kind={[level, most, ...limits].join()}
      data={data}
      options={() => ({
        cursor: { show: false },
        scales: {
          y: { range: [0, most] },
          x: { range: [Date.parse(row.periodStart) / 1000, Date.parse(row.periodEnd) / 1000] },
        },
        series: [
          {},
          { stroke: colour(level), fill: `${colour(level)}22`, width: 2, points: { show: false } },
          { stroke: colour('muted'), width: 1.5, dash: [2, 5], points: { show: false } },
        ],
        hooks: { draw: [(chart) => drawLimits(chart, limits, row.monthlyQuota)] },
      })}
    />
  )
}

/** The hours add up to the counter: what is counted since they were read comes on top. */
function lines(points: Series['points'], row: OverviewUsage): uPlot.AlignedData {
  const now = Date.now() / 1000
  const end = Date.parse(row.periodEnd) / 1000
  const start = Date.parse(row.periodStart) / 1000
  const pace = row.tokensLastDay / 86_400
  let sum = Math.max(0, row.totalTokens - points.reduce((total, point) => total + point.totalTokens, 0))
  const [times, used]: [number[], (number | null)[]] = [[start], [0]]
  if (points.length > 0) {
    for (const point of points) {
      times.push(Math.max(start, Date.parse(point.start) / 1000))
      used.push(sum)
      sum += point.totalTokens
    }
  }
  times.push(now, Math.max(now, end))
  used.push(row.totalTokens, null)
  const ahead = times.map((time) => (time >= now ? row.totalTokens + pace * (time - now) : null))
  return [times, used, ahead]
}

function drawLimits(chart: uPlot, limits: number[], quota: number): void {
  const { ctx, bbox } = chart
  ctx.save()
  ctx.textAlign = 'left'
  ctx.textBaseline = 'bottom'
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`
  for (const limit of limits) {
    const y = Math.round(chart.valToPos((quota * limit) / 100, 'y', true))
    if (y < bbox.top) continue
    ctx.strokeStyle = ctx.fillStyle = colour(limit >= 100 ? 'over' : 'warning')
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
    ctx.fillText(`${limit} %`, bbox.left + 6 * devicePixelRatio, y - 2 * devicePixelRatio)
  }
  ctx.restore()
}
