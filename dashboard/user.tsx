import { useEffect } from 'preact/hooks'
import type { UserUsage } from './api_types.ts'
import { inFull, inShort, limitOf, unitOf, useOf } from './amounts.ts'
import { ask, pathOf } from './api.ts'
import { Bar } from './bar.tsx'
import { exact, momentOf, percent } from './format.ts'
import type { Live } from './live.ts'
import { useLoaded, useMinute } from './loaded.ts'
import { tenantPath } from './router.ts'

const POOLS = {
  input: 'Input',
  cacheRead: 'Cache reads',
  cacheWrite: 'Cache writes',
  output: 'Output',
  reasoning: 'Reasoning',
}

/** What one user of a tenant has used in the open period, and what is left of its quotas. */
export function UserPage({ tenant, user, live }: { tenant: string; user: string; live: Live }) {
  const { value: usage, error } = useLoaded(
    () => ask<UserUsage>('GET', pathOf`/api/usage/${tenant}?user=${user}`),
    live,
    tenant,
    String(useMinute()),
  )
  useEffect(() => {
    document.title = `${user} · ${usage?.tenantName ?? ''} · FlagMeter`
  }, [user, usage?.tenantName])
  if (error && !usage)
    return (
      <p class="problem" role="alert">
        {error.message}
      </p>
    )
  if (!usage) return <p aria-busy="true">Loading …</p>
  const figures: [string, string][] = [
    ['Tokens', exact(usage.totalTokens)],
    ...Object.entries(POOLS).map(([pool, label]): [string, string] => [
      label,
      exact(usage.pools[pool as keyof typeof POOLS]),
    ]),
    ['Events', exact(usage.eventCount)],
    ['Cost', inFull('cost', Number(usage.cost))],
    ...(usage.unpricedEvents > 0 ? [['Unpriced', exact(usage.unpricedEvents)] as [string, string]] : []),
  ]
  return (
    <div class="tenant-page">
      <nav aria-label="Breadcrumb">
        <a href={tenantPath(usage.tenantName, usage.tenant)}>
          <bdi>{usage.tenantName}</bdi>
        </a>
      </nav>
      <h1 title={user}>
        <bdi>{user}</bdi>
      </h1>
      <section class="panel" aria-label="Usage">
        <dl class="figures">
          {figures.map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
        <p class="muted">
          {momentOf(usage.periodStart)} to {momentOf(usage.periodEnd)}
        </p>
      </section>
      <section class="panel" aria-labelledby="quotas">
        <h2 id="quotas">Quotas per user</h2>
        {usage.quotas.length === 0 && <p class="muted">None.</p>}
        <ul class="list">
          {usage.quotas.map((quota) => {
            const { metric, limit } = limitOf(quota)
            const { used, held } = useOf(quota)
            const of = [quota.feature, quota.model].filter(Boolean).join(', ') || 'All features'
            return (
              <li key={quota.id}>
                <div class="quota grow">
                  <span>
                    <bdi>{of}</bdi> per {quota.period}, {quota.hard ? 'hard' : 'soft'}
                  </span>
                  <span class="summary">
                    <Bar
                      label={`${of} per ${quota.period}`}
                      quotaPercent={quota.quotaPercent}
                      thresholds={[100]}
                      reservedPercent={(held / limit) * 100}
                    />
                    <b>{percent(quota.quotaPercent)}</b>
                  </span>
                  <span class="muted" title={`${inFull(metric, used)} of ${inFull(metric, limit)}`}>
                    {inShort(metric, used)} of {inShort(metric, limit)}
                    {metric !== 'cost' && ` ${unitOf(metric)}`}; resets {momentOf(quota.resetAt)}
                  </span>
                </div>
              </li>
            )
          })}
        </ul>
      </section>
    </div>
  )
}
