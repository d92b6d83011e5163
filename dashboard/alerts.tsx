import type { Alert, Delivery } from './api_types.ts'
import { ask, pathOf } from './api.ts'
import { Outcome, useAction } from './forms.tsx'
import { inFull, inShort, limitOf, unitOf, useOf } from './amounts.ts'
import { exact, momentOf } from './format.ts'
import { List } from './list.tsx'
import { useLoaded } from './loaded.ts'
import { Panel } from './panel.tsx'
import type { PartProps } from './part_props.ts'

const SHOWN = 20

/** Crossed thresholds, and whether every delivery arrived. */
export function Alerts({ tenant, live, mayChange }: PartProps) {
  const alerts = useLoaded(
    async () =>
      (await ask<{ alerts: Alert[] }>('GET', pathOf`/api/alerts?limit=${String(SHOWN)}&tenant=${tenant.id}`)).alerts,
    live,
    tenant.id,
  )
  const { value: deliveries = [] } = useLoaded(
    async () =>
      (await ask<{ deliveries: Delivery[] }>('GET', pathOf`/api/deliveries?limit=200&tenant=${tenant.id}`)).deliveries,
    live,
    tenant.id,
  )
  return (
    <Panel id="alerts" title="Alerts">
      <List of={alerts} empty="No threshold has been crossed yet.">
        {(alert) => (
          <li key={alert.id}>
            <span class={`chip ${alert.threshold >= 100 ? 'over' : 'warning'}`}>{alert.threshold} %</span>
            <span class="grow">
              <Crossed alert={alert} />
            </span>
            <time class="muted" dateTime={alert.createdAt}>
              {momentOf(alert.createdAt)}
            </time>
            <ul class="deliveries">
              {deliveries
                .filter((delivery) => delivery.alert === alert.id)
                .map((delivery) => (
                  <DeliveryLine key={delivery.id} delivery={delivery} mayChange={mayChange} />
                ))}
            </ul>
          </li>
        )}
      </List>
      {alerts.value?.length === SHOWN && (
        <p class="muted">
          The newest {SHOWN}. To list all of them: <code>flagmeter alert list</code>
        </p>
      )}
    </Panel>
  )
}

/** What was crossed, at which amount, and of a quota per user by whom. */
function Crossed({ alert }: { alert: Alert }) {
  const { feature, model, period } = alert.quota
  const { metric, limit } = limitOf(alert.quota)
  const { used } = useOf(alert)
  return (
    <>
      of {inFull(metric, limit)} <bdi>{[feature, model].filter(Boolean).join(', ')}</bdi> {unitOf(metric)} per {period}
      {alert.user !== undefined && (
        <>
          {' '}
          of <bdi>{alert.user}</bdi>
        </>
      )}
      , at <span title={inFull(metric, used)}>{inShort(metric, used)}</span>
    </>
  )
}

const MARKS = { delivered: '✓', pending: '…', sending: '…', dead: '✕' }

/** The outcome of one message. */
export function DeliveryLine({ delivery, mayChange }: { delivery: Delivery; mayChange: boolean }) {
  const action = useAction()
  const { id, tenant, status, kind, url, attempts, reason, responseStatus } = delivery
  const retry = async () => {
    await ask('POST', '/api/deliveries/retry', { tenant, delivery: id })
    return 'Retrying now.'
  }
  return (
    <li class={`delivery ${status}`}>
      <span aria-hidden="true">{MARKS[status]}</span> {status}
      {responseStatus !== undefined && ` (${responseStatus})`}, {kind} <bdi class="muted">{url}</bdi>
      {attempts > 1 && `, ${exact(attempts)} tries`}
      {reason !== undefined && status !== 'delivered' && <span class="problem">: {reason}</span>}
      {mayChange && (status === 'dead' || (status === 'pending' && attempts > 0)) && (
        <button type="button" class="quiet" disabled={action.isBusy} onClick={() => void action.run(retry)}>
          Retry
        </button>
      )}
      <Outcome action={action} />
    </li>
  )
}
