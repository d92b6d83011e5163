import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { compact } from './format.ts'

/** A colour of the style sheet, as the canvas needs it. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()

interface Props {
  /** What it shows, for who can't see it. */
  label: string
  data: uPlot.AlignedData
  height: number
  /** Made anew with each chart: after a change of the colour scheme, or of `kind`. */
  options: () => Omit<uPlot.Options, 'width' | 'height' | 'axes' | 'legend'>
  kind: string
}

/** A uPlot chart as wide as its place. */
export function Chart({ label, data, height, options, kind }: Props) {
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
    const font = '12px system-ui, sans-serif'
    const axes = [
      { ...axis, font },
      { ...axis, font, size: 56, values: (_: uPlot, values: number[]) => values.map(compact) },
    ]
    chart.current = new uPlot({ ...options(), ...size(), axes, legend: { show: false } }, data, element)
    const observer = new ResizeObserver(() => chart.current?.setSize(size()))
    observer.observe(element)
    return () => {
      observer.disconnect()
      chart.current?.destroy()
    }
  }, [scheme, kind, height])
  useEffect(() => chart.current?.setData(data), [data])
  return <div class="chart" role="img" aria-label={label} ref={place} />
}
