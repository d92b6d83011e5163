import { useState } from 'preact/hooks'
import type { Session } from './api_types.ts'
import { type ApiError, ask } from './api.ts'
import { typed } from './forms.tsx'

/** Asks for a key. It is sent in one header of one request, and stored nowhere. */
export function SignIn({ note, onSignedIn }: { note: string; onSignedIn: (session: Session) => void }) {
  const [error, setError] = useState('')
  const [isBusy, setBusy] = useState(false)
  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const key = typed(form)('key')
    // Characters that a header can't hold, such as typographic quotation marks.
    if (!/^[\x21-\x7e]+$/.test(key))
      return setError('This is not a key: keys begin with fm_, followed by letters and digits.')
    setBusy(true)
    setError('')
    try {
      const session = await ask<Session>('POST', '/api/session', undefined, { authorization: `Bearer ${key}` })
      form.reset()
      onSignedIn(session)
    } catch (problem) {
      setError((problem as ApiError).message)
      setBusy(false)
    }
  }
  return (
    <main class="sign-in">
      <form onSubmit={(event) => void submit(event)}>
        <h1>FlagMeter</h1>
        {note && <p role="status">{note}</p>}
        {!isSecureContext && (
          <p class="problem" role="alert">
            This page was loaded over plain HTTP, so the browser will not keep you signed in. Use https, or localhost.
          </p>
        )}
        <label>
          Key
          <input
            type="password"
            name="key"
            required
            autofocus
            autocomplete="off"
            spellcheck={false}
            placeholder="fm_…"
            aria-describedby="key-help"
            aria-invalid={error !== ''}
          />
        </label>
        {error && (
          <p class="problem" role="alert">
            {error}
          </p>
        )}
        <button type="submit" disabled={isBusy}>
          Sign in
        </button>
        <p id="key-help" class="muted">
          A key with the scope <code>read</code>. The first one is in <code>.flagmeter/admin-key</code>;{' '}
          <code>flagmeter key create</code> makes more.
        </p>
      </form>
    </main>
  )
}
