import type { Quota } from './api_types.ts'
import { ask, pathOf } from './api.ts'
import { type Metric, limitOf } from './amounts.ts'
import { Dialog } from './dialog.tsx'
import { type Action, Field, Submit, submit, typed, useAction } from './forms.tsx'
import { say } from './notice.tsx'

/** Thresholds as text. */
export const Thresholds = ({ action, of }: { action: Action; of: number[] }) => (
  <Field label="Thresholds in percent" name="thresholds" action={action}>
    {(attributes) => <input {...attributes} required defaultValue={of.join(', ')} />}
  </Field>
)

/** Like `50, 80, 100`. */
export const percentsOf = (text: string): number[] =>
  text
    .split(/[\s,%]+/)
    .filter(Boolean)
    .map(Number)

/** Whether a quota is hard. */
export const Hard = ({ name, isHard }: { name: string; isHard: boolean }) => (
  <label class="check">
    <input type="checkbox" name={name} defaultChecked={isHard} /> Hard: refuse checks and reservations beyond it
  </label>
)

const NAMES: Record<Metric, string> = { tokens: 'Tokens', requests: 'Requests', cost: 'US dollars' }
const LIMITS: Record<Metric, string> = { tokens: 'tokenLimit', requests: 'requestLimit', cost: 'costLimit' }

interface FormProps {
  tenant: string
  /** Undefined: create a new one. */
  quota: Quota | undefined
  onClose: () => void
}

/** The form that adds or changes a quota. */
export function QuotaForm({ tenant, quota, onClose }: FormProps) {
  const action = useAction()
  const save = async (form: HTMLFormElement) => {
    const value = typed(form)
    const metric = quota ? limitOf(quota).metric : (value('metric') as Metric)
    const settings = {
      [LIMITS[metric]]: metric === 'cost' ? value('limit') : Number(value('limit')),
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
        ...(value('model') !== '' && { model: value('model') }),
        ...(value('per') !== '' && { per: 'user' }),
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
            <Field label="Model (empty: all)" name="model" action={action}>
              {(attributes) => <input {...attributes} maxLength={200} />}
            </Field>
            <Field label="Counts" name="metric" action={action}>
              {(attributes) => (
                <select {...attributes}>
                  {Object.entries(NAMES).map(([metric, label]) => (
                    <option key={metric} value={metric}>
                      {label}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <label class="check">
              <input type="checkbox" name="per" /> For each user by itself
            </label>
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
        <Field
          label={quota ? `${NAMES[limitOf(quota).metric]} per period` : 'Limit per period'}
          name="limit"
          action={action}
        >
          {(attributes) => (
            <input
              {...attributes}
              type="number"
              min={0}
              step="any"
              required
              defaultValue={quota && limitOf(quota).limit}
            />
          )}
        </Field>
        <Thresholds action={action} of={quota?.thresholds ?? [80, 100]} />
        <Hard name="hard" isHard={quota?.hard ?? true} />
        <div class="actions">
          <Submit action={action} label="Save" />
        </div>
      </form>
    </Dialog>
  )
}
