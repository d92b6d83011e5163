import { useState } from 'preact/hooks'
import { typed } from './forms.tsx'

type Step = 'minute' | 'hour' | 'day'
export const STEP_MS: Record<Step, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }
/** More bars than pixels tell nothing. */
const MOST_STEPS = 1_500

/** undefined: since the period began. */
export const RANGES = {
  hour: { label: 'Last hour', ms: 3_600_000 },
  day: { label: '24 hours', ms: 86_400_000 },
  week: { label: '7 days', ms: 7 * 86_400_000 },
  period: { label: 'This period', ms: undefined },
} as const

export type Range = { name: keyof typeof RANGES; step: Step } | { name: 'custom'; step: Step; from: string; to: string }

interface Props {
  range: Range
  onChange: (range: Range) => void
  periodStart: string | undefined
  timezone: string
}

const stepsFor = (ms: number): Step[] =>
  (Object.keys(STEP_MS) as Step[]).filter(
    (step) => ms / STEP_MS[step] <= MOST_STEPS && (step === 'minute' || ms / STEP_MS[step] >= 1),
  )

/** Picks the time range and the step. Steps that would give too many bars, or none, are not offered. */
export function RangePicker({ range, onChange, periodStart, timezone }: Props) {
  const [isCustom, setCustom] = useState(false)
  const lengthOf = (name: keyof typeof RANGES) => RANGES[name].ms ?? Date.now() - Date.parse(periodStart ?? '')
  const length = range.name === 'custom' ? Date.parse(range.to) - Date.parse(range.from) : lengthOf(range.name)
  const choose = (name: keyof typeof RANGES) => {
    setCustom(false)
    const steps = stepsFor(lengthOf(name))
    onChange({ name, step: name === 'hour' ? 'minute' : name === 'day' ? 'hour' : (steps.at(-1) ?? 'hour') })
  }
  const [problem, setProblem] = useState('')
  const apply = (form: HTMLFormElement) => {
    const [from, to] = ['from', 'to'].map((name) => new Date(typed(form)(name)))
    setProblem(from! < to! ? '' : 'From must be before To.')
    if (!(from! < to!)) return
    const step = stepsFor(to!.getTime() - from!.getTime()).at(-1) ?? 'day'
    onChange({ name: 'custom', step, from: from!.toISOString(), to: to!.toISOString() })
  }
  return (
    <div class="ranges">
      <div role="group" aria-label="Range" class="segments">
        {(Object.keys(RANGES) as (keyof typeof RANGES)[]).map((name) => (
          <button key={name} type="button" aria-pressed={range.name === name} onClick={() => choose(name)}>
            {RANGES[name].label}
          </button>
        ))}
        <button
          type="button"
          aria-pressed={range.name === 'custom'}
          aria-expanded={isCustom}
          onClick={() => setCustom(!isCustom)}
        >
          Custom
        </button>
      </div>
      <div role="group" aria-label="Step" class="segments">
        {stepsFor(length).map((step) => (
          <button
            key={step}
            type="button"
            aria-pressed={range.step === step}
            onClick={() => onChange({ ...range, step })}
          >
            {step}
          </button>
        ))}
      </div>
      {isCustom && (
        <form
          class="custom"
          onSubmit={(event) => {
            event.preventDefault()
            apply(event.currentTarget)
          }}
        >
          <label>
            From <input type="datetime-local" name="from" required />
          </label>
          <label>
            To <input type="datetime-local" name="to" required />
          </label>
          <button type="submit">Show</button>
          <span class="muted">in your time zone; days are in {timezone}</span>
          <span class="problem" role="alert">
            {problem}
          </span>
        </form>
      )}
    </div>
  )
}
