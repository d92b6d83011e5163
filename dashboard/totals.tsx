import { exact, rate } from './format.ts'
import type { Totals } from './live.ts'

/** What the person on call looks at first. */
export function TotalsBar({
  totals,
  tenants,
  warned,
}: {
  totals: Totals | undefined
  tenants: number
  warned: number
}) {
  return (
    <dl class="totals" aria-label="Totals">
      <Total name="Events/s" value={totals && rate(totals.eventsPerSecond)} />
      <Total name="Tokens/s" value={totals && rate(totals.tokensPerSecond)} />
      <Total
        name="Freshness"
        title="The longest time from accepting an event to counting it, over the last 10 seconds"
        value={totals && (totals.freshnessMs === null ? '–' : duration(totals.freshnessMs))}
        isBad={(totals?.freshnessMs ?? 0) > 5_000}
      />
      <Total
        name="Dead letters"
        title="Events that could not be recorded: flagmeter dead-letter list"
        value={totals && exact(totals.deadLetters)}
        isBad={(totals?.deadLetters ?? 0) > 0}
      />
      <Total
        name="Failing deliveries"
        title="Being retried, or given up within the last 24 hours"
        value={totals && exact(totals.failingDeliveries)}
        isBad={(totals?.failingDeliveries ?? 0) > 0}
      />
      <Total name="Tenants" value={exact(tenants)} isMinor />
      <Total name="At a threshold" value={exact(warned)} isBad={warned > 0} />
    </dl>
  )
}

const duration = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${rate(ms / 1_000)} s`)

const Total = ({
  name,
  value,
  title,
  isBad = false,
  isMinor = false,
}: {
  name: string
  value?: string | undefined
  title?: string
  isBad?: boolean
  /** Hidden where there is no room. */
  isMinor?: boolean
}) => (
  <div class={isBad ? 'bad' : isMinor ? 'minor' : ''} {...(title && { title })}>
    <dt>{name}</dt>
    <dd>
      {isBad && <span aria-hidden="true">▲ </span>}
      {value ?? '–'}
    </dd>
  </div>
)
