import { useState } from 'preact/hooks'
import type { Quota, QuotaUsage } from './api_types.ts'
import { ask, askAll, pathOf } from './api.ts'
import { inFull, inShort, limitOf, unitOf, useOf } from './amounts.ts'
import { Bar, Reached } from './bar.tsx'
import { Confirm } from './dialog.tsx'
import { momentIn, percent } from './format.ts'
import { List } from './list.tsx'
import { type Live, useLive } from './live.ts'
import { useLoaded, useMinute, useThrottled } from './loaded.ts'
import { Panel } from './panel.tsx'
import { PeriodChart } from './period_chart.tsx'
import { QuotaForm } from './quota_form.tsx'
import type { PartProps } from './part_props.ts'

/** If there are more, charts are shown only on request. */
const SHOWN = 4

/** The additional quotas, each over its period. */
export function Quotas({ tenant, live, mayChange }: PartProps) {
  const row = useLive(live).tenants.get(tenant.id)
  const [edited, setEdited] = useState<Quota | 'new'>()
  const quotas = useLoaded(() => askAll<Quota>(pathOf`/api/quotas?tenant=${tenant.id}`, 'quotas'), live, tenant.id)
  const moved = useThrottled(`${row?.totalTokens} ${row?.reservedTokens}`, 500)
  const minute = useMinute()
  const { value: usage } = useLoaded(
    () => ask<{ quotas: QuotaUsage[] }>('GET', pathOf`/api/usage/${tenant.id}`),
    live,
    tenant.id,
    `${moved} ${minute}`,
  )
  return (
    <Panel
      id="quotas"
      title="Additional quotas"
      button={mayChange ? { label: 'Add quota', onClick: () => setEdited('new') } : undefined}
    >
      <List of={quotas} empty="None.">
        {(quota) => (
          <li key={quota.id}>
            <Line
              quota={quota}
              usage={usage?.quotas.find(({ id }) => id === quota.id)}
              timezone={tenant.timezone}
              live={live}
              isOpen={(quotas.value?.length ?? 0) <= SHOWN}
            />
            {mayChange && (
              <span class="actions">
                <button type="button" class="quiet" onClick={() => setEdited(quota)}>
                  Change
                </button>
                <Confirm
                  label="Delete"
                  question={
                    <>
                      Delete the quota of <LimitOf quota={quota} /> per {quota.period}?
                    </>
                  }
                  onYes={async () => {
                    await ask('DELETE', pathOf`/api/quotas/${quota.id}`)
                    return 'Quota deleted.'
                  }}
                />
              </span>
            )}
          </li>
        )}
      </List>
      {edited && (
        <QuotaForm
          tenant={tenant.id}
          quota={edited === 'new' ? undefined : edited}
          onClose={() => setEdited(undefined)}
        />
      )}
    </Panel>
  )
}

interface LineProps {
  quota: Quota
  usage: QuotaUsage | undefined
  timezone: string
  live: Live
  isOpen: boolean
}

function Line({ quota, usage, timezone, live, isOpen }: LineProps) {
  const [isShown, setShown] = useState(isOpen)
  const { quotaPercent = 0 } = usage ?? {}
  const { metric, limit } = limitOf(quota)
  const { used, held } = useOf(usage)
  const of = [quota.feature, quota.model].filter(Boolean).join(', ') || 'All features'
  const what = `${of} per ${quota.period}`
  const left = inShort(metric, Math.max(0, limit - used - held))
  // Its course is known of tokens alone, and not by model.
  const hasCourse = usage?.totalTokens !== undefined && quota.model === undefined
  return (
    <div class="quota grow">
      <span>
        <bdi title={of}>{of}</bdi> per {quota.period}
        {quota.per && ' and user'}, {quota.hard ? 'hard' : 'soft'}
      </span>
      {quota.per ? (
        <span class="muted">
          <LimitOf quota={quota} /> for each user
        </span>
      ) : (
        <>
          <span class="summary">
            <Bar
              label={what}
              quotaPercent={quotaPercent}
              thresholds={quota.thresholds}
              reservedPercent={(held / limit) * 100}
            />
            <b>{percent(quotaPercent)}</b>
            <Reached quotaPercent={quotaPercent} thresholds={quota.thresholds} />
          </span>
          <span class="muted" title={`${inFull(metric, used)} of ${inFull(metric, limit)}`}>
            {inShort(metric, used)} of {inShort(metric, limit)}
            {metric === 'requests' && ' requests'}
            {held > 0 && `, ${inShort(metric, held)} reserved`}, {left} left
            {usage && `; resets ${momentIn(usage.resetAt, timezone)} (${timezone})`}
          </span>
        </>
      )}
      {usage && hasCourse && (
        <details open={isShown} onToggle={(event) => setShown(event.currentTarget.open)}>
          <summary>Over the period</summary>
          {isShown && (
            <PeriodChart
              quota={{ ...quota, ...usage, tokenLimit: limit, totalTokens: used, periodEnd: usage.resetAt }}
              timezone={timezone}
              live={live}
              height={160}
            />
          )}
        </details>
      )}
    </div>
  )
}

/** Like `50,000 gpt-4-turbo tokens`, or `$5.00 on gpt-4o`. */
function LimitOf({ quota }: { quota: Pick<Quota, 'tokenLimit' | 'requestLimit' | 'costLimit' | 'feature' | 'model'> }) {
  const { metric, limit } = limitOf(quota)
  return (
    <>
      {inFull(metric, limit)} <bdi>{quota.feature}</bdi> {unitOf(metric)}
      {quota.model !== undefined && (
        <>
          {' '}
          on <bdi>{quota.model}</bdi>
        </>
      )}
    </>
  )
}
