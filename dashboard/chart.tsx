import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { axisTimes, compact } from './format.ts'

/** A colour from the style sheet, in the form that a canvas needs. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

interface Props {
  /** What it shows, for screen readers. */
  label: string
  data: uPlot.AlignedData
  height: number
  /** Created again with each chart: when the colour scheme or `kind` changes. */
  options: () => Omit<uPlot.Options, 'width' | 'height' | 'axes' | 'legend'>
  kind: string
  /** Hours and days are in this time zone. */
  timezone: string
}

const FONT = '12px system-ui, sans-serif'

/** As wide as the widest label, since the reader's language decides how long a number is. */
function widthOf({ ctx }: uPlot, labels: string[] | null): number {
  ctx.save()
  ctx.font = FONT
  const widths = (labels ?? []).map((text) => ctx.measureText(text).width)
  ctx.restore()
  return Math.ceil(Math.max(24, ...widths)) + 18
}

/** A uPlot chart as wide as its container. */
export function Chart({ label, data, height, options, kind, timezone }: Props) {
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>(undefined)
  const [scheme, setScheme] = useState(0)
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)')
    const onChange = () => setScheme((n) => n + 1)
    query.addEventListener('change', onChange)
    return () => query.removeEventListener('change', onChange)
  }, [])
  useEffect(() => {
    const element = place.current!
    const size = () => ({ width: element.clientWidth, height })
    const axis = {
      stroke: colour('muted'),
      grid: { stroke: colour('line'), width: 1 },
      ticks: { stroke: colour('line') },
    }
    const font = FONT
    const timeOf = axisTimes(timezone)
    const axes: uPlot.Axis[] = [
      { ...axis, font, space: 64, values: (_, times, _axis, _space, step) => timeOf(times, step) },
      { ...axis, font, size: widthOf, values: (_, values) => values.map(compact) },
    ]
    const tzDate = (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), timezone)
    chart.current = new uPlot(
      { ...options(), ...size(), padding: [8, 28, 0, 0], axes, tzDate, legend: { show: false } },
      data,
      element,
    )
    const observer = new ResizeObserver(() => chart.current?.setSize(size()))
    observer.observe(element)
    return () => {
      observer.disconnect()
      chart.current?.destroy()
    }
  }, [scheme, kind, height, timezone])
  useEffect(() => chart.current?.setData(data), [data])
  return <div class="chart" role="img" aria-label={label} ref={place} />
}
