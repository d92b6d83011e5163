import type { Tenant } from './api_types.ts'
import { ask, pathOf } from './api.ts'
import { Confirm } from './dialog.tsx'
import { Field, Submit, settle, submit, typed, useAction } from './forms.tsx'
import { Panel } from './panel.tsx'
import { Hard, Thresholds, percentsOf } from './quota_form.tsx'
import { go } from './router.ts'
import type { PartProps } from './part_props.ts'

const FAIL_MODES: Record<Tenant['failMode'], string> = {
  default: 'checks are allowed, reservations refused',
  open: 'both are allowed',
  closed: 'both are refused',
}
const ZONES = Intl.supportedValuesOf('timeZone')

/** The tenant's quota, billing period and thresholds. */
export function Settings({ tenant }: PartProps) {
  const action = useAction()
  const path = pathOf`/api/tenants/${tenant.id}`
  const save = async (form: HTMLFormElement) => {
    const value = typed(form)
    const given: Partial<Tenant> = {
      monthlyQuota: Number(value('monthlyQuota')),
      monthlyHard: value('monthlyHard') !== '',
      thresholds: percentsOf(value('thresholds')),
      billingDay: Number(value('billingDay')),
      timezone: value('timezone'),
      failMode: value('failMode') as Tenant['failMode'],
    }
    const changes = Object.entries(given).filter(
      ([name, now]) => JSON.stringify(now) !== JSON.stringify(tenant[name as keyof Tenant]),
    )
    if (changes.length === 0) return 'Nothing has changed.'
    await ask('PATCH', path, Object.fromEntries(changes))
    settle(form)
    return 'Saved.'
  }
  return (
    <Panel id="settings" title="Settings">
      {tenant.rebuild && (
        <p class="muted">
          Changing to billing day {tenant.rebuild.billingDay}, {tenant.rebuild.timezone}: {tenant.rebuild.percent} %
          done. Until then, the old periods apply.
        </p>
      )}
      {/* Fields that nobody touched follow what somebody else saves; what is being typed stays. */}
      <form class="settings" onSubmit={submit(action, save)}>
        <Field label="Tokens per month" name="monthlyQuota" action={action}>
          {(attributes) => <input {...attributes} type="number" min={1} required defaultValue={tenant.monthlyQuota} />}
        </Field>
        <Thresholds action={action} of={tenant.thresholds} />
        <Field label="Billing day" name="billingDay" action={action}>
          {(attributes) => (
            <input {...attributes} type="number" min={1} max={31} required defaultValue={tenant.billingDay} />
          )}
        </Field>
        <Field label="Time zone" name="timezone" action={action}>
          {(attributes) => <input {...attributes} list="zones" required defaultValue={tenant.timezone} />}
        </Field>
        <datalist id="zones">
          {ZONES.map((zone) => (
            <option key={zone} value={zone} />
          ))}
        </datalist>
        <Field label="While PostgreSQL is away" name="failMode" action={action}>
          {(attributes) => (
            <select {...attributes}>
              {Object.entries(FAIL_MODES).map(([mode, label]) => (
                <option key={mode} value={mode} selected={mode === tenant.failMode}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Hard name="monthlyHard" isHard={tenant.monthlyHard} />
        <div class="actions">
          <Submit action={action} label="Save" />
          <Confirm
            label="Delete tenant"
            question={
              <>
                Delete <bdi>{tenant.name}</bdi> and everything that was counted for it? This can't be undone.
              </>
            }
            onYes={async () => {
              await ask('DELETE', path)
              go('/')
              return 'Tenant deleted.'
            }}
          />
        </div>
      </form>
    </Panel>
  )
}
