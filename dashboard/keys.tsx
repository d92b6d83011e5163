import { useState } from 'preact/hooks'
import { SCOPES } from './scopes.ts'
import type { ApiKey, NewApiKey } from './api_types.ts'
import { ask, askAll, pathOf } from './api.ts'
import { Confirm, Copy, Dialog } from './dialog.tsx'
import { Field, Submit, submit, typed, useAction } from './forms.tsx'
import { momentOf } from './format.ts'
import { List } from './list.tsx'
import { useLoaded } from './loaded.ts'
import { Panel } from './panel.tsx'
import type { PartProps } from './part_props.ts'

/** The keys bound to the tenant. */
export function Keys({ tenant, live }: PartProps) {
  const keys = useLoaded(() => askAll<ApiKey>(pathOf`/api/keys?tenant=${tenant.id}`, 'keys'), live, tenant.id)
  const [isCreating, setCreating] = useState(false)
  return (
    <Panel id="keys" title="Keys" button={{ label: 'Create key', onClick: () => setCreating(true) }}>
      <List of={keys} empty="No key is bound to this tenant.">
        {(key) => (
          <li key={key.id} class={key.revokedAt === undefined ? '' : 'is-off'}>
            <code>{key.hint}</code>
            <span class="grow">
              <bdi>{key.name}</bdi> <span class="muted">{key.scopes.join(', ')}</span>
            </span>
            <span class="muted">{stateOf(key)}</span>
            {key.revokedAt === undefined && (
              <Confirm
                label="Revoke"
                question={
                  <>
                    Revoke the key <bdi>{key.name}</bdi> ({key.hint})? Anyone who uses it is refused within a second.
                  </>
                }
                onYes={async () => {
                  await ask('DELETE', pathOf`/api/keys/${key.id}`)
                  return 'Key revoked.'
                }}
              />
            )}
          </li>
        )}
      </List>
      {isCreating && <CreateKey tenant={tenant.id} onClose={() => setCreating(false)} />}
    </Panel>
  )
}

function stateOf({ revokedAt, expiresAt, lastUsedAt }: ApiKey): string {
  if (revokedAt !== undefined) return `revoked ${momentOf(revokedAt)}`
  const end =
    expiresAt === undefined
      ? ''
      : `${Date.parse(expiresAt) < Date.now() ? 'expired' : 'expires'} ${momentOf(expiresAt)}, `
  return `${end}${lastUsedAt === undefined ? 'never used' : `used ${momentOf(lastUsedAt)}`}`
}

function CreateKey({ tenant, onClose }: { tenant: string; onClose: () => void }) {
  const action = useAction()
  const [key, setKey] = useState<string>()
  const make = async (form: HTMLFormElement) => {
    const value = typed(form)
    const expires = value('expiresAt')
    const made = await ask<NewApiKey>('POST', '/api/keys', {
      tenant,
      name: value('name'),
      scopes: SCOPES.filter((scope) => value(scope) !== ''),
      ...(expires !== '' && { expiresAt: new Date(expires).toISOString() }),
    })
    setKey(made.key)
  }
  return (
    <Dialog title="Create key" onClose={onClose}>
      {key === undefined ? (
        <form onSubmit={submit(action, make)}>
          <Field label="Name" name="name" action={action}>
            {(attributes) => <input {...attributes} required maxLength={200} />}
          </Field>
          <fieldset>
            <legend>Scopes</legend>
            {SCOPES.map((scope) => (
              <label key={scope} class="check">
                <input type="checkbox" name={scope} defaultChecked={scope === 'ingest'} /> {scope}
              </label>
            ))}
            <span class="problem">{action.errorOf('scopes')}</span>
          </fieldset>
          <Field label="Expires (optional)" name="expiresAt" action={action}>
            {(attributes) => <input {...attributes} type="datetime-local" />}
          </Field>
          <div class="actions">
            <Submit action={action} label="Create" />
          </div>
        </form>
      ) : (
        <>
          <p>The key is shown only once:</p>
          <Copy text={key} label="Key" />
        </>
      )}
    </Dialog>
  )
}
