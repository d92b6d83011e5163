import { useState } from 'preact/hooks'
import type { QuotaUsage } from '../../lib/quota.ts'
import type { Quota } from '../../lib/quota_admin.ts'
import { ask, askAll, pathOf } from './api.ts'
import { Bar, Reached } from './bar.tsx'
import { List } from './list.tsx'
import { say } from './notice.tsx'
import { Confirm, Dialog, Field, Outcome, percentsOf, submit, typed, useAction } from './forms.tsx'
import { compact, exact, momentIn, percent } from './format.ts'
import { type Live, useLive } from './live.ts'
import { useLoaded, useMinute, useThrottled } from './loaded.ts'
import { PeriodChart } from './period_chart.tsx'
import type { PartProps } from './tenant.tsx'

/** Of more, a chart shows when it is asked for. */
const SHOWN = 4

/** The quotas beside the monthly one, each over its period. */
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
    <section class="panel" aria-labelledby="quotas">
      <div class="tools">
        <h2 id="quotas">Quotas beside the monthly one</h2>
        {mayChange && (
          <button type="button" onClick={() => setEdited('new')}>
            Add quota
          </button>
        )}
      </div>
      <List of={quotas} empty="There is none.">
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
                      Delete the quota of {exact(quota.tokenLimit)} <bdi>{quota.feature}</bdi> tokens per {quota.period}
                      ?
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
        <Edit tenant={tenant.id} quota={edited === 'new' ? undefined : edited} onClose={() => setEdited(undefined)} />
      )}
    </section>
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
  const { totalTokens = 0, reservedTokens = 0, quotaPercent = 0 } = usage ?? {}
  const what = `${quota.feature ?? 'All features'} per ${quota.period}`
  return (
    <div class="quota grow">
      <span>
        <bdi title={quota.feature}>{quota.feature ?? 'All features'}</bdi> per {quota.period},{' '}
        {quota.hard ? 'hard' : 'soft'}
      </span>
      <span class="summary">
        <Bar
          label={what}
          quotaPercent={quotaPercent}
          thresholds={quota.thresholds}
          reservedPercent={(reservedTokens / quota.tokenLimit) * 100}
        />
        <b>{percent(quotaPercent)}</b>
        <Reached quotaPercent={quotaPercent} thresholds={quota.thresholds} />
      </span>
      <span class="muted" title={`${exact(totalTokens)} of ${exact(quota.tokenLimit)}`}>
        {compact(totalTokens)} of {compact(quota.tokenLimit)}
        {reservedTokens > 0 && `, ${compact(reservedTokens)} reserved`},{' '}
        {compact(Math.max(0, quota.tokenLimit - totalTokens - reservedTokens))} left
        {usage && `; begins again ${momentIn(usage.resetAt, timezone)} (${timezone})`}
      </span>
      {usage && (
        <details open={isShown} onToggle={(event) => setShown(event.currentTarget.open)}>
          <summary>Over its period</summary>
          {isShown && (
            <PeriodChart
              quota={{ ...quota, ...usage, periodEnd: usage.resetAt }}
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

function Edit({ tenant, quota, onClose }: { tenant: string; quota: Quota | undefined; onClose: () => void }) {
  const action = useAction()
  const save = async (form: HTMLFormElement) => {
    const value = typed(form)
    const settings = {
      tokenLimit: Number(value('tokenLimit')),
      hard: value('hard') !== '',
      thresholds: percentsOf(value('thresholds')),
    }
    const feature = value('feature')
    if (quota) await ask('PATCH', pathOf`/api/quotas/${quota.id}`, settings)
    else
      await ask('POST', '/api/quotas', {
        tenant,
        period: value('period'),
        ...(feature !== '' && { feature }),
        ...settings,
      })
    onClose()
    say(quota ? 'Quota saved.' : 'Quota added.')
  }
  const title = quota ? 'Change quota' : 'Add quota'
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit(action, save)}>
        {!quota && (
          <>
            <Field label="Feature (empty: all)" name="feature" action={action}>
              {(attributes) => <input {...attributes} maxLength={200} />}
            </Field>
            <Field label="Period" name="period" action={action}>
              {(attributes) => (
                <select {...attributes}>
                  {['hour', 'day', 'week', 'month'].map((period) => (
                    <option key={period}>{period}</option>
                  ))}
                </select>
              )}
            </Field>
          </>
        )}
        <Field label="Tokens per period" name="tokenLimit" action={action}>
          {(attributes) => <input {...attributes} type="number" min={1} required defaultValue={quota?.tokenLimit} />}
        </Field>
        <Field label="Thresholds in percent" name="thresholds" action={action}>
          {(attributes) => (
            <input {...attributes} required defaultValue={(quota?.thresholds ?? [80, 100]).join(', ')} />
          )}
        </Field>
        <label class="check">
          <input type="checkbox" name="hard" defaultChecked={quota?.hard ?? true} /> Hard: refuse checks and
          reservations beyond it
        </label>
        <div class="actions">
          <button type="submit" disabled={action.isBusy}>
            Save
          </button>
          <Outcome action={action} />
        </div>
      </form>
    </Dialog>
  )
}
