import { useEffect, useRef, useState } from 'preact/hooks'
import type { ApiError } from './api.ts'
import type { Live } from './live.ts'

/** How soon to retry after a temporary failure. */
const RETRY_MS = 2_000

/** The loaded value and a function to load it again. Meanwhile the old value stays. */
export interface Loaded<T> {
  value: T | undefined
  error: ApiError | undefined
  reload: () => void
}

/**
 * Loads something, and loads it again whenever the tenant (without one: any tenant) has changed, the connection comes
 * back, or `again` differs.
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
  useEffect(() => () => void calls.current++, []) // ignore answers that come later
  return { value: state.value, error: state.error, reload }
}

/** The current minute, to load and show again what changes with the clock alone. */
export function useMinute(): number {
  const [minute, setMinute] = useState(Math.floor(Date.now() / 60_000))
  useEffect(() => {
    const timer = setInterval(() => setMinute(Math.floor(Date.now() / 60_000)), 5_000)
    return () => clearInterval(timer)
  }, [])
  return minute
}

/** A value that follows another, at most once in this many milliseconds. */
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
