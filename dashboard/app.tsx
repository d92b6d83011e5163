import { useEffect, useState } from 'preact/hooks'
import type { Session } from './api_types.ts'
import { type ApiError, ask, onSessionEnd } from './api.ts'
import { clockOf } from './format.ts'
import { type Live, openLive, useLive } from './live.ts'
import { Notice } from './notice.tsx'
import { Overview } from './overview.tsx'
import { tenantPath, usePath } from './router.ts'
import { PricesPage } from './prices.tsx'
import { SignIn } from './sign_in.tsx'
import { TenantPage } from './tenant.tsx'
import { UserPage } from './user.tsx'

/** undefined: not known yet; null: nobody. */
type Signed = Session | null | undefined

/** The page: the dashboard if you are signed in, or else the sign-in form. */
export function App() {
  const [session, setSession] = useState<Signed>()
  const [note, setNote] = useState('')
  useEffect(() => {
    onSessionEnd(() =>
      setSession((before) => {
        if (before) setNote('The session has ended. Sign in again.')
        return null
      }),
    )
    const look = () =>
      ask<Session>('GET', '/api/session').then(setSession, (error: ApiError) => {
        if (error.status === 401) return
        setNote(error.message)
        setTimeout(() => void look(), 2_000)
      })
    void look()
  }, [])
  const signedIn = (given: Session) => {
    setNote('')
    setSession(given)
  }
  if (session === undefined)
    return (
      <main class="sign-in" aria-busy="true">
        <p role="status">{note}</p>
      </main>
    )
  if (session === null) return <SignIn note={note} onSignedIn={signedIn} />
  return <Dashboard session={session} onSignOut={() => setSession(null)} />
}

function Dashboard({ session, onSignOut }: { session: Session; onSignOut: () => void }) {
  const [live, setLive] = useState<Live>()
  const [alert, setAlert] = useState('')
  const path = usePath()
  useEffect(() => {
    const opened = openLive()
    setLive(opened)
    return () => opened.close()
  }, [session])
  const signOut = () =>
    void ask('DELETE', '/api/session').then(onSignOut, () => setAlert('Signing out failed. Try again.'))
  if (!live) return null
  const [, name, user] = /^\/tenants\/([^/]+)(?:\/users\/([^/]+))?$/.exec(path) ?? []
  const tenant = session.tenant ?? (name === undefined ? undefined : decode(name))
  const isBound = session.tenant !== undefined
  return (
    <>
      <a class="skip" href="#content">
        Skip to content
      </a>
      <header class="top">
        <a
          class="brand"
          href={session.tenant === undefined ? '/' : tenantPath(session.tenantName ?? '', session.tenant)}
        >
          FlagMeter
        </a>
        <Connection live={live} />
        {!isBound && <a href="/prices">Prices</a>}
        <span class="who" title="The key you are signed in with">
          <bdi>{session.keyName}</bdi>
        </span>
        <button type="button" class="quiet" onClick={signOut}>
          Sign out
        </button>
      </header>
      {alert && (
        <p role="alert" class="banner">
          {alert}
        </p>
      )}
      <Notice />
      <main id="content" tabIndex={-1}>
        {path === '/prices' && !isBound ? (
          <PricesPage live={live} mayChange={session.scopes.includes('admin')} />
        ) : tenant === undefined ? (
          <Overview live={live} session={session} />
        ) : user !== undefined ? (
          <UserPage key={path} tenant={tenant} user={decode(user)} live={live} />
        ) : (
          <TenantPage key={tenant} name={tenant} live={live} session={session} />
        )}
      </main>
    </>
  )
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** A shorter outage is not worth showing. */
const BANNER_MS = 2_000

/** Whether the figures are current. */
function Connection({ live }: { live: Live }) {
  const { lostSince, isLoaded } = useLive(live)
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000)
    return () => clearInterval(timer)
  }, [])
  const lost = lostSince === undefined ? 0 : Math.max(0, now - lostSince)
  // A fixed time: screen readers would read a counter aloud every second.
  return (
    <>
      <span role="status" class={`connection ${lostSince === undefined ? 'is-live' : 'is-lost'}`}>
        <span>{lostSince === undefined ? 'Live' : isLoaded ? 'Reconnecting' : 'Connecting'}</span>
        {lost > BANNER_MS && <span class="since"> since {clockOf(lostSince!)}</span>}
      </span>
      {lost > BANNER_MS && (
        <p class="banner" role="alert">
          <b>The connection is lost.</b> Figures are from {clockOf(lostSince!)} or earlier; reconnecting.
        </p>
      )}
    </>
  )
}
