import { useState } from 'preact/hooks'
import type { Delivery, Webhook } from './api_types.ts'
import { ask, askAll, pathOf } from './api.ts'
import { Confirm, Copy, Dialog } from './dialog.tsx'
import { Field, Outcome, Submit, submit, typed, useAction } from './forms.tsx'
import { List } from './list.tsx'
import { useLoaded } from './loaded.ts'
import { say } from './notice.tsx'
import { Panel } from './panel.tsx'
import type { PartProps } from './part_props.ts'

/** A try takes at most ten seconds. */
const TEST_MS = 15_000

/** Where alerts go. */
export function Webhooks({ tenant, live }: PartProps) {
  const webhooks = useLoaded(
    () => askAll<Webhook>(pathOf`/api/webhooks?tenant=${tenant.id}`, 'webhooks'),
    live,
    tenant.id,
  )
  const [isAdding, setAdding] = useState(false)
  return (
    <Panel id="webhooks" title="Webhooks" button={{ label: 'Add webhook', onClick: () => setAdding(true) }}>
      <List of={webhooks} empty="No webhooks: nobody is notified when a threshold is crossed.">
        {(webhook) => <Line key={webhook.id} webhook={webhook} />}
      </List>
      {isAdding && <Add tenant={tenant.id} onClose={() => setAdding(false)} />}
    </Panel>
  )
}

function Line({ webhook }: { webhook: Webhook }) {
  const action = useAction()
  const path = pathOf`/api/webhooks/${webhook.id}`
  const test = async () => {
    let delivery = await ask<Delivery>('POST', `${path}/test`)
    for (const end = Date.now() + TEST_MS; ['pending', 'sending'].includes(delivery.status) && Date.now() < end;) {
      await new Promise((resolve) => setTimeout(resolve, 300))
      delivery = await ask<Delivery>('GET', pathOf`/api/deliveries/${delivery.id}`)
    }
    if (delivery.status === 'delivered') return `Delivered (${delivery.responseStatus}).`
    throw new Error(
      delivery.reason === undefined ? 'not sent yet: is a worker running?' : `not delivered: ${delivery.reason}`,
    )
  }
  const change = async () => {
    await ask('PATCH', path, { enabled: !webhook.enabled })
    return webhook.enabled ? 'Disabled.' : 'Enabled.'
  }
  return (
    <li>
      <span class={`chip ${webhook.enabled ? 'on' : ''}`}>{webhook.enabled ? 'on' : 'off'}</span>
      <span class="grow">
        {webhook.kind} <bdi>{webhook.url}</bdi>
      </span>
      <Outcome action={action} />
      <span class="actions">
        <button type="button" class="quiet" disabled={action.isBusy} onClick={() => void action.run(test)}>
          {action.isBusy ? 'Sending …' : 'Test'}
        </button>
        <button type="button" class="quiet" disabled={action.isBusy} onClick={() => void action.run(change)}>
          {webhook.enabled ? 'Disable' : 'Enable'}
        </button>
        <Confirm
          label="Delete"
          question={
            <>
              Delete the webhook <bdi>{webhook.url}</bdi> and its deliveries?
            </>
          }
          onYes={async () => {
            await ask('DELETE', path)
            return 'Webhook deleted.'
          }}
        />
      </span>
    </li>
  )
}

function Add({ tenant, onClose }: { tenant: string; onClose: () => void }) {
  const action = useAction()
  const [secret, setSecret] = useState<string>()
  const add = async (form: HTMLFormElement) => {
    const value = typed(form)
    const made = await ask<Webhook & { secret?: string }>('POST', '/api/webhooks', {
      tenant,
      kind: value('kind'),
      url: value('url'),
    })
    say('Webhook added.')
    if (made.secret === undefined) onClose()
    else setSecret(made.secret)
  }
  return (
    <Dialog title="Add webhook" onClose={onClose}>
      {secret === undefined ? (
        <form onSubmit={submit(action, add)}>
          <Field label="Kind" name="kind" action={action}>
            {(attributes) => (
              <select {...attributes}>
                <option value="slack">Slack</option>
                <option value="standard">Signed event (Standard Webhooks)</option>
              </select>
            )}
          </Field>
          <Field label="URL" name="url" action={action}>
            {(attributes) => (
              <input {...attributes} type="url" required placeholder="https://hooks.slack.com/services/…" />
            )}
          </Field>
          <div class="actions">
            <Submit action={action} label="Add" />
          </div>
        </form>
      ) : (
        <>
          <p>The signing secret is shown only once:</p>
          <Copy text={secret} label="Signing secret" />
        </>
      )}
    </Dialog>
  )
}
