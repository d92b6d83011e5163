import { useEffect, useRef, useState } from 'preact/hooks'
import type { ApiError } from './api.ts'
import type { Live } from './live.ts'

/** After an answer that may be another one soon. */
const RETRY_MS = 2_000

/** What was loaded, and how to load it again. While that runs, what was there stays. */
export interface Loaded<T> {
  value: T | undefined
  error: ApiError | undefined
  reload: () => void
}

/**
 * Loads something, and again whenever something of the tenant has changed (without one: of any), whenever the
 * connection comes back, and whenever `again` differs.
 */
export function useLoaded<T>(load: () => Promise<T>, live: Live, tenant?: string, again: unknown = ''): Loaded<T> {
  const [state, setState] = useState<{ value?: T; error?: ApiError }>({})
  const calls = useRef(0)
  const latest = useRef(load)
  latest.current = load
  const reload = () => {
    const mine = ++calls.current
    latest.current().then(
      (value) => mine === calls.current && setState({ value }),
      (error: ApiError) => {
        if (mine !== calls.current) return
        setState((before) => ({ ...before, error }))
        if (error.isPassing) setTimeout(() => mine === calls.current && reload(), RETRY_MS)
      },
    )
  }
  useEffect(reload, [again])
  useEffect(
    () =>
      live.onChanged((tenants) => {
        if (!tenants || !tenant || tenants.includes(tenant)) reload()
      }),
    [live, tenant],
  )
  useEffect(() => () => void calls.current++, []) // an answer that comes later is nobody's
  return { value: state.value, error: state.error, reload }
}

/** The minute it is: what the clock alone changes is loaded and shown again with it. */
export function useMinute(): number {
  const [minute, setMinute] = useState(Math.floor(Date.now() / 60_000))
  useEffect(() => {
    const timer = setInterval(() => setMinute(Math.floor(Date.now() / 60_000)), 5_000)
    return () => clearInterval(timer)
  }, [])
  return minute
}

/** A value that follows another, at most once in so many milliseconds. */
export function useThrottled<T>(value: T, ms: number): T {
  const [shown, setShown] = useState(value)
  const changedAt = useRef(0)
  useEffect(() => {
    const wait = Math.max(0, changedAt.current + ms - Date.now())
    const timer = setTimeout(() => {
      changedAt.current = Date.now()
      setShown(value)
    }, wait)
    return () => clearTimeout(timer)
  }, [value, ms])
  return shown
}
