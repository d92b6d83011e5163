import { useState } from 'preact/hooks'
import type { Tenant } from './api_types.ts'
import { ask } from './api.ts'
import { Copy, Dialog } from './dialog.tsx'
import { Field, Submit, submit, typed, useAction } from './forms.tsx'
import { go, tenantPath } from './router.ts'

/** What a new installation shows: nothing has been counted yet, and how to change that. */
export function FirstSteps({ tenant }: { tenant: string }) {
  const body = JSON.stringify({ tenant, feature: 'gpt-4-turbo', tokens: 1500 }).replaceAll("'", String.raw`'\''`)
  const headers = `-H "authorization: Bearer $FLAGMETER_KEY" -H 'content-type: application/json'`
  const line = `curl -s ${location.origin}/api/events ${headers} -d '${body}'`
  return (
    <section class="panel first">
      <h2>No event has been counted yet</h2>
      <p>
        Send one, and watch the bar move. <code>FLAGMETER_KEY</code> is a key with the scope <code>ingest</code>, or the
        one you signed in with.
      </p>
      <Copy text={line} label="A command that reports 1,500 tokens" />
    </section>
  )
}

/** A button that creates a tenant. */
export function NewTenant() {
  const [isOpen, setOpen] = useState(false)
  const action = useAction()
  const create = async (form: HTMLFormElement) => {
    const value = typed(form)
    const quota = value('monthlyQuota')
    const body = { name: value('name'), ...(quota !== '' && { monthlyQuota: Number(quota) }) }
    const { name, id } = await ask<Tenant>('POST', '/api/tenants', body)
    go(tenantPath(name, id))
  }
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        New tenant
      </button>
      {isOpen && (
        <Dialog title="New tenant" onClose={() => setOpen(false)}>
          <form onSubmit={submit(action, create)}>
            <Field label="Name" name="name" action={action}>
              {(attributes) => <input {...attributes} required maxLength={200} />}
            </Field>
            <Field label="Tokens per month" name="monthlyQuota" action={action}>
              {(attributes) => <input {...attributes} type="number" min={1} placeholder="1000000" />}
            </Field>
            <div class="actions">
              <Submit action={action} label="Create" />
            </div>
          </form>
        </Dialog>
      )}
    </>
  )
}
