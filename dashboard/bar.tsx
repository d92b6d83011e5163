import { exact, levelOf, percent, reachedOf } from './format.ts'

interface Props {
  label: string
  quotaPercent: number
  thresholds: number[]
  /** Held by reservations, in percent of the quota. */
  reservedPercent?: number
}

/** How much of a quota is used, with a tick at each threshold. */
export function Bar({ label, quotaPercent, thresholds, reservedPercent = 0 }: Props) {
  // A threshold above the quota must fit too.
  const full = Math.max(100, ...thresholds)
  const width = (value: number) => `${Math.max(0, Math.min(100, (value / full) * 100))}%`
  return (
    <div
      class={`bar ${levelOf(quotaPercent, thresholds)}`}
      role="meter"
      aria-label={label}
      aria-valuenow={Math.min(quotaPercent, full)}
      aria-valuemin={0}
      aria-valuemax={full}
      aria-valuetext={`${percent(quotaPercent)} used`}
    >
      <div class="used" style={{ width: width(quotaPercent) }} />
      <div
        class="reserved"
        style={{ left: width(quotaPercent), width: width(Math.min(reservedPercent, full - quotaPercent)) }}
      />
      {thresholds.map(
        (threshold) =>
          threshold < full && <i key={threshold} style={{ left: width(threshold) }} title={`${threshold} %`} />,
      )}
    </div>
  )
}

/** The same in words, so that colour is not the only sign. */
export function Reached({ quotaPercent, thresholds }: { quotaPercent: number; thresholds: number[] }) {
  const reached = reachedOf(quotaPercent, thresholds)
  const level = levelOf(quotaPercent, thresholds)
  if (level === 'over') return <span class="chip over">over</span>
  if (reached === undefined) return null
  return <span class="chip warning">≥ {exact(reached)} %</span>
}
