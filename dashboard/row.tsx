import { useEffect, useState } from 'preact/hooks'
import type { UsageSummary } from './api_types.ts'
import { Bar, Reached } from './bar.tsx'
import { compact, dayOf, exact, leftOf, levelOf, percent, runsOutAt } from './format.ts'
import { tenantPath } from './router.ts'
import { Sparkline } from './sparkline.tsx'

const NARROW = '(max-width: 640px)'

/** The height of a row in pixels: two lines on a phone. The style sheet has the same values. */
export function useRowHeight(): number {
  const [isNarrow, setNarrow] = useState(matchMedia(NARROW).matches)
  useEffect(() => {
    const query = matchMedia(NARROW)
    const onChange = () => setNarrow(query.matches)
    query.addEventListener('change', onChange)
    return () => query.removeEventListener('change', onChange)
  }, [])
  return isNarrow ? 68 : 44
}

interface Props {
  row: UsageSummary
  index: number
  top: number
  now: number
  trend: string | undefined
}

/** One tenant in the overview. */
export function Row({ row, index, top, now, trend }: Props) {
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      class={`cells row ${levelOf(row.quotaPercent, row.thresholds)}`}
      style={{ transform: `translateY(${top}px)` }}
    >
      <span role="rowheader" class="tenant">
        <a href={tenantPath(row.tenantName, row.tenant)} title={row.tenantName}>
          <bdi>{row.tenantName}</bdi>
        </a>
      </span>
      <span role="cell" class="used">
        <Bar
          label={`Quota of ${row.tenantName}`}
          quotaPercent={row.quotaPercent}
          thresholds={row.thresholds}
          reservedPercent={(row.reservedTokens / row.monthlyQuota) * 100}
        />
        <b>{percent(row.quotaPercent)}</b>
        <Reached quotaPercent={row.quotaPercent} thresholds={row.thresholds} />
      </span>
      <Figure name="tokens" value={row.totalTokens} />
      <Figure name="left" value={leftOf(row)} />
      <Figure name="pace" value={row.tokensPerMinute} />
      <span role="cell" class="runs-out">
        <RunsOut row={row} now={now} />
      </span>
      <span role="cell" class="line">
        <Sparkline path={trend} />
      </span>
    </div>
  )
}

const Figure = ({ name, value }: { name: string; value: number }) => (
  <span role="cell" class={name} title={exact(value)}>
    {value === 0 ? '0' : compact(value)}
  </span>
)

/** The day when nothing will be left, at the pace of the last 24 hours. */
export function RunsOut({ row, now }: { row: UsageSummary; now: number }) {
  if (row.totalTokens >= row.monthlyQuota) return <b class="over">used up</b>
  const at = runsOutAt(row, now)
  if (at === Infinity)
    return (
      <span class="muted" title="At the pace of the last 24 hours, it lasts beyond this period">
        not this period
      </span>
    )
  return <span title="If usage continues at the pace of the last 24 hours">{dayOf(at)}</span>
}
