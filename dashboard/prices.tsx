import { useEffect, useState } from 'preact/hooks'
import type { Price, PricePage } from './api_types.ts'
import { ask, pathOf } from './api.ts'
import { Confirm, Dialog } from './dialog.tsx'
import { Field, Submit, submit, typed, useAction } from './forms.tsx'
import { exact, momentOf } from './format.ts'
import type { Live } from './live.ts'
import { useLoaded } from './loaded.ts'
import { say } from './notice.tsx'
import { Panel } from './panel.tsx'
import { overviewPath } from './router.ts'

const SHOWN = 100

/** The operator's own prices, and where all others come from. */
export function PricesPage({ live, mayChange }: { live: Live; mayChange: boolean }) {
  const [isAdding, setAdding] = useState(false)
  const {
    value: page,
    error,
    reload,
  } = useLoaded(() => ask<PricePage>('GET', `/api/prices?limit=${SHOWN}`), live, undefined)
  useEffect(() => {
    document.title = 'Prices · FlagMeter'
  }, [])
  return (
    <div class="tenant-page">
      <nav aria-label="Breadcrumb">
        <a href={overviewPath}>All tenants</a>
      </nav>
      <h1>Prices</h1>
      <Panel
        id="own-prices"
        title="Your own prices"
        button={mayChange ? { label: 'Set price', onClick: () => setAdding(true) } : undefined}
      >
        {error && (
          <p class="problem" role="alert">
            {error.message}
          </p>
        )}
        {page?.prices.length === 0 && <p class="muted">None. Every price is the catalogue's.</p>}
        {page && page.prices.length > 0 && <PriceTable prices={page.prices} mayChange={mayChange} onChange={reload} />}
        {page?.next !== undefined && (
          <p class="muted">
            The newest {SHOWN}. To list all of them: <code>flagmeter price list</code>
          </p>
        )}
      </Panel>
      {page && (
        <Panel id="catalogue" title="Catalogue">
          <p>
            {exact(page.catalogue.models)} models of{' '}
            <a href={page.catalogue.url} rel="noreferrer">
              {page.catalogue.source}
            </a>{' '}
            ({page.catalogue.license}), as of {page.catalogue.date}. Your own prices come first.
          </p>
        </Panel>
      )}
      {isAdding && (
        <PriceForm
          onClose={() => {
            setAdding(false)
            reload()
          }}
        />
      )}
    </div>
  )
}

function PriceTable({ prices, mayChange, onChange }: { prices: Price[]; mayChange: boolean; onChange: () => void }) {
  return (
    <table class="features">
      <thead>
        <tr>
          {['Model', 'From', 'Input', 'Output', 'Cache read', 'Cache write', 'Reasoning', ''].map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {prices.map((price) => (
          <tr key={price.id}>
            <th scope="row">
              <bdi>{price.model}</bdi>
            </th>
            <td>{price.effectiveFrom === undefined ? 'always' : momentOf(price.effectiveFrom)}</td>
            <td>${price.input}</td>
            <td>${price.output}</td>
            <td>${price.cacheRead}</td>
            <td>${price.cacheWrite}</td>
            <td>${price.reasoning}</td>
            <td>
              {mayChange && (
                <Confirm
                  label="Delete"
                  question={
                    <>
                      Delete the price of <bdi>{price.model}</bdi>? Events keep what they cost.
                    </>
                  }
                  onYes={async () => {
                    await ask('DELETE', pathOf`/api/prices/${price.id!}`)
                    onChange()
                    return 'Price deleted.'
                  }}
                />
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

const RATES = {
  input: 'Input',
  output: 'Output',
  cacheRead: 'Cache reads (empty: as input)',
  cacheWrite: 'Cache writes (empty: as input)',
  reasoning: 'Reasoning (empty: as output)',
}

function PriceForm({ onClose }: { onClose: () => void }) {
  const action = useAction()
  const save = async (form: HTMLFormElement) => {
    const value = typed(form)
    const given = Object.keys(RATES).flatMap((name) => (value(name) === '' ? [] : [[name, value(name)]]))
    const from = value('effectiveFrom')
    await ask('POST', '/api/prices', {
      model: value('model'),
      ...(from !== '' && { effectiveFrom: new Date(from).toISOString() }),
      ...Object.fromEntries(given),
    })
    onClose()
    say('Price set.')
  }
  return (
    <Dialog title="Set price" onClose={onClose}>
      <form onSubmit={submit(action, save)}>
        <p class="muted">US dollars per million tokens.</p>
        <Field label="Model, or the beginning of one with * behind it" name="model" action={action}>
          {(attributes) => <input {...attributes} required maxLength={200} />}
        </Field>
        {Object.entries(RATES).map(([name, label]) => (
          <Field key={name} label={label} name={name} action={action}>
            {(attributes) => (
              <input {...attributes} type="number" min={0} step="any" required={['input', 'output'].includes(name)} />
            )}
          </Field>
        ))}
        <Field label="From (empty: now)" name="effectiveFrom" action={action}>
          {(attributes) => <input {...attributes} type="datetime-local" />}
        </Field>
        <div class="actions">
          <Submit action={action} label="Save" />
        </div>
      </form>
    </Dialog>
  )
}
