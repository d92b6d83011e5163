import { useEffect, useState } from 'preact/hooks'
import { ask } from './api.ts'
import { useMinute } from './loaded.ts'

interface Trend {
  tenant: string
  from: string
  stepSeconds: number
  totalTokens: number[]
}

/** The maximum age of a line; it shows a month, so nobody sees the difference. */
const FRESH_MS = 5 * 60_000
const BATCH = 100
const [WIDTH, HEIGHT] = [100, 24]

const known = new Map<string, { path: string; readAt: number }>()
const wanted = new Set<string>()
const waiting = new Set<() => void>()
let timer: number | undefined

/** The lines of these tenants, requested together when they become visible. */
export function useTrends(tenants: string[]): (tenant: string) => string | undefined {
  const [, count] = useState(0)
  const list = tenants.join()
  useEffect(() => {
    const onRead = () => count((n) => n + 1)
    waiting.add(onRead)
    wanted.clear() // those no longer visible
    for (const id of tenants) if (Date.now() - (known.get(id)?.readAt ?? 0) > FRESH_MS) wanted.add(id)
    timer ??= window.setTimeout(() => void read(), 100)
    return () => void waiting.delete(onRead)
    // A wall display is never scrolled: check each minute for lines that are too old or failed to load.
  }, [list, useMinute()])
  return (tenant) => known.get(tenant)?.path
}

async function read(): Promise<void> {
  timer = undefined
  const ids = [...wanted].slice(0, BATCH)
  if (ids.length === 0) return
  for (const id of ids) wanted.delete(id)
  if (wanted.size > 0) timer = window.setTimeout(() => void read(), 100)
  const { trends } = await ask<{ trends: Trend[] }>('GET', `/api/trends?tenants=${ids.join()}`).catch(() => ({
    trends: [] as Trend[],
  }))
  for (const { tenant, totalTokens } of trends) known.set(tenant, { path: pathOf(totalTokens), readAt: Date.now() })
  for (const onRead of waiting) onRead()
}

function pathOf(values: number[]): string {
  const most = Math.max(1, ...values)
  const step = WIDTH / Math.max(1, values.length - 1)
  const points = values.map(
    (value, i) => `${(i * step).toFixed(1)} ${(HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1)}`,
  )
  return points.length === 1 ? `M0 ${HEIGHT / 2}H${WIDTH}` : `M${points.join('L')}`
}

/** Tokens over the period so far. Hidden from screen readers, since the figures beside it say the same. */
export const Sparkline = ({ path }: { path: string | undefined }) => (
  <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
    {path && <path d={path} />}
  </svg>
)
