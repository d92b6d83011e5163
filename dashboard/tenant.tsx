import { useEffect, useRef, useState } from 'preact/hooks'
import type { Session, Tenant, UsageSummary } from './api_types.ts'
import { inShort } from './amounts.ts'
import { Alerts } from './alerts.tsx'
import { ask, pathOf } from './api.ts'
import { Bar, Reached } from './bar.tsx'
import { compact, exact, leftOf, momentIn, percent, reachedOf } from './format.ts'
import { Keys } from './keys.tsx'
import { type Live, useLive } from './live.ts'
import { useLoaded } from './loaded.ts'
import type { PartProps } from './part_props.ts'
import { PeriodChart } from './period_chart.tsx'
import { Quotas } from './quotas.tsx'
import { RunsOut } from './row.tsx'
import { overviewPath } from './router.ts'
import { Settings } from './settings.tsx'
import { SplitChart } from './split_chart.tsx'
import { Webhooks } from './webhooks.tsx'

/** A tenant's page. */
export function TenantPage({ name, live, session }: { name: string; live: Live; session: Session }) {
  const [id, setId] = useState<string>()
  // By its id once known, since its name may change while the page is open.
  const load = async () => {
    const found = await ask<Tenant>('GET', pathOf`/api/tenants/${id ?? name}`)
    setId(found.id)
    return found
  }
  const { value: tenant, error, reload } = useLoaded(load, live, id)
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => heading.current?.focus(), [tenant?.id])
  if (error !== undefined && (!tenant || error.status === 404))
    return (
      <section class="panel">
        <h1>{error.status === 404 ? 'There is no such tenant' : 'This page could not be loaded'}</h1>
        <p class="problem" role="alert">
          {error.message}
        </p>
        <button type="button" onClick={reload}>
          Try again
        </button>
      </section>
    )
  if (!tenant) return <p aria-busy="true">Loading …</p>
  const isBound = session.tenant !== undefined
  const isAdmin = session.scopes.includes('admin')
  const part = { tenant, live, mayChange: isAdmin }
  return (
    <div class="tenant-page">
      {!isBound && (
        <nav aria-label="Breadcrumb">
          <a href={overviewPath}>All tenants</a>
        </nav>
      )}
      <h1 ref={heading} tabIndex={-1} title={tenant.name}>
        <bdi>{tenant.name}</bdi>
      </h1>
      <div class="columns">
        <div>
          <Summary {...part} />
          <SplitChart {...part} dimensions={session.dimensions} />
        </div>
        <div>
          <Quotas {...part} mayChange={isAdmin && !isBound} />
          <Alerts {...part} />
          {isAdmin && <Webhooks {...part} />}
          {isAdmin && !isBound && <Keys {...part} />}
        </div>
      </div>
      {isAdmin && !isBound && <Settings {...part} />}
    </div>
  )
}

/** What the period has cost, if the cost of anything is known, and of how many events it is not. */
function costOf({ cost, eventCount, unpricedEvents }: UsageSummary): [string, string, string][] {
  if (unpricedEvents === eventCount) return []
  const unpriced = exact(unpricedEvents)
  return [
    ['Cost', inShort('cost', Number(cost)), `$${cost}`],
    ...(unpricedEvents > 0
      ? [['Unpriced', compact(unpricedEvents), `${unpriced} events of unknown cost`] as [string, string, string]]
      : []),
  ]
}

/** The monthly quota in figures, and its period as a chart. */
function Summary({ tenant, live }: PartProps) {
  const row = useLive(live).tenants.get(tenant.id)
  const isWarned = row !== undefined && reachedOf(row.quotaPercent, row.thresholds) !== undefined
  useEffect(() => {
    document.title = `${isWarned ? `(${row.quotaPercent} %) ` : ''}${tenant.name} · FlagMeter`
  }, [tenant.name, isWarned, row?.quotaPercent])
  if (!row) return <section class="panel" aria-busy="true" />
  const figures: [string, string, string?][] = [
    ['Used', compact(row.totalTokens), exact(row.totalTokens)],
    ['Quota', compact(row.monthlyQuota), exact(row.monthlyQuota)],
    ['Reserved', compact(row.reservedTokens), exact(row.reservedTokens)],
    ['Left', compact(leftOf(row)), exact(leftOf(row))],
    ['Per minute', compact(row.tokensPerMinute), exact(row.tokensPerMinute)],
    ['Last 24 hours', compact(row.tokensLastDay), exact(row.tokensLastDay)],
    ['Events', compact(row.eventCount), exact(row.eventCount)],
    ...costOf(row),
  ]
  return (
    <section class="panel" aria-label="Monthly quota">
      <div class="summary">
        <b class="percent">{percent(row.quotaPercent)}</b>
        <Reached quotaPercent={row.quotaPercent} thresholds={row.thresholds} />
        <Bar
          label="Monthly quota"
          quotaPercent={row.quotaPercent}
          thresholds={row.thresholds}
          reservedPercent={(row.reservedTokens / row.monthlyQuota) * 100}
        />
      </div>
      <dl class="figures">
        {figures.map(([label, value, title]) => (
          <div key={label} title={title}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <div title="If usage continues at the pace of the last 24 hours">
          <dt>Runs out</dt>
          <dd>
            <RunsOut row={row} now={Date.now()} />
          </dd>
        </div>
      </dl>
      <PeriodChart
        quota={{ ...row, tokenLimit: row.monthlyQuota, tokensPerSecond: row.tokensLastDay / 86_400 }}
        timezone={tenant.timezone}
        live={live}
        height={220}
      />
      <p class="muted">
        {momentIn(row.periodStart, tenant.timezone)} to {momentIn(row.periodEnd, tenant.timezone)}, {tenant.timezone}
        {tenant.monthlyHard
          ? '; beyond it, checks and reservations are refused'
          : '; beyond it, only alerts are raised'}
      </p>
    </section>
  )
}
