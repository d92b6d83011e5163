import { useEffect, useState } from 'preact/hooks'
import type { UsageSummary } from './api_types.ts'
import { ask, askAll } from './api.ts'

/** The event `totals` of GET /api/stream: rates over the last ten seconds, and what needs attention. */
export interface Totals {
  eventsPerSecond: number
  tokensPerSecond: number
  /** The longest time from accepting an event to showing it; null: no event. */
  freshnessMs: number | null
  deadLetters: number
  failingDeliveries: number
}

/** The state of all tenants, kept up to date by one stream. */
export interface Live {
  tenants: Map<string, UsageSummary>
  /** Whether every page of tenants has been read once. */
  isLoaded: boolean
  totals: Totals | undefined
  /** When the connection was lost, in milliseconds since 1970; undefined: it is live. */
  lostSince: number | undefined
  /** Calls back when something has changed, at most once per painted frame. */
  subscribe(onChange: () => void): () => void
  /** Calls back with the ids of tenants that changed in more than usage; undefined: any of them. */
  onChanged(listener: (tenants?: string[]) => void): () => void
  close(): void
}

/**
 * Anything missed by accident, such as when a worker is killed after counting but before notifying, shows after this
 * long.
 */
const RELOAD_MS = 5 * 60_000
const RETRY_MS = 2_000
/** A connection can break silently: the machine slept, the network failed. Totals or a heartbeat come every second. */
const SILENT_MS = 5_000
const CONNECT_MS = 10_000
/** A tab hidden for this long disconnects: without HTTP/2, a browser has six connections to a server, for all tabs. */
const HIDDEN_MS = 60_000

/** Opens the stream and keeps it open. */
export function openLive(): Live {
  const subscribers = new Set<() => void>()
  const listeners = new Set<(tenants?: string[]) => void>()
  const live: Live = {
    tenants: new Map(),
    isLoaded: false,
    totals: undefined,
    lostSince: Date.now(),
    subscribe: (onChange) => addTo(subscribers, onChange),
    onChanged: (listener) => addTo(listeners, listener),
    close,
  }
  let source: EventSource | undefined
  let loading = 0
  /** Tenants that arrived in frames since loading began. */
  let fresh = new Set<string>()
  let painting = 0
  let retry: number | undefined
  let heardAt = Date.now()
  const reloading = window.setInterval(() => void load(), RELOAD_MS)
  const watching = window.setInterval(watch, 1_000)

  function paint(): void {
    painting ||= requestAnimationFrame(() => {
      painting = 0
      for (const onChange of subscribers) onChange()
    })
  }

  const tell = (tenants?: string[]) => {
    for (const listener of listeners) listener(tenants)
  }

  /** Frames that arrive meanwhile are newer than the page being loaded, so they win. */
  async function load(): Promise<void> {
    const mine = ++loading
    fresh = new Set()
    const found = new Set<string>()
    try {
      await askAll<UsageSummary>('/api/usage', 'tenants', (page) => {
        if (mine !== loading) return
        for (const row of page) {
          found.add(row.tenant)
          if (!fresh.has(row.tenant)) live.tenants.set(row.tenant, row)
        }
        paint()
      })
      if (mine !== loading) return
      for (const id of live.tenants.keys()) if (!found.has(id) && !fresh.has(id)) live.tenants.delete(id)
      live.isLoaded = true
      paint()
    } catch {
      if (mine === loading) window.setTimeout(() => mine === loading && void load(), RETRY_MS)
    }
  }

  function connect(): void {
    source = new EventSource('/api/stream')
    source.addEventListener('open', () => {
      heardAt = Date.now()
      live.lostSince = undefined
      void load()
      tell()
      paint()
    })
    source.addEventListener('error', () => {
      lose()
      if (source?.readyState !== EventSource.CLOSED) return
      // It gave up: signed out, or a server that can't answer now. The answer to this request tells which.
      ask('GET', '/api/session').catch(() => {})
      retry = window.setTimeout(connect, RETRY_MS)
    })
    const on = (event: string, handle: (data: any) => void) =>
      source!.addEventListener(event, (message) => {
        heardAt = Date.now()
        handle(JSON.parse(message.data))
        paint()
      })
    on('usage', ({ tenants, gone }: { tenants: UsageSummary[]; gone: string[] }) => {
      for (const row of tenants) {
        live.tenants.set(row.tenant, row)
        fresh.add(row.tenant)
      }
      for (const id of gone) {
        live.tenants.delete(id)
        fresh.add(id)
      }
    })
    on('totals', (totals: Totals) => (live.totals = totals))
    on('beat', () => {})
    on('changed', ({ tenants }: { tenants: string[] }) => tell(tenants))
    on('reload', () => {
      void load()
      tell()
    })
  }

  function lose(since = Date.now()): void {
    live.lostSince ??= since
    live.totals = undefined
    paint()
  }

  function reconnect(): void {
    source?.close()
    window.clearTimeout(retry)
    heardAt = Date.now()
    connect()
  }

  function watch(): void {
    const limit = live.lostSince === undefined ? SILENT_MS : CONNECT_MS
    if (document.hidden || Date.now() - heardAt < limit) return
    lose(heardAt)
    reconnect()
  }

  let hiding: number | undefined
  function hide(): void {
    source?.close()
    lose()
  }

  function onVisibility(): void {
    window.clearTimeout(hiding)
    if (document.hidden) hiding = window.setTimeout(hide, HIDDEN_MS)
    else if (source?.readyState === EventSource.CLOSED) reconnect()
  }

  function close(): void {
    source?.close()
    window.clearTimeout(retry)
    window.clearTimeout(hiding)
    window.clearInterval(reloading)
    window.clearInterval(watching)
    document.removeEventListener('visibilitychange', onVisibility)
    loading++
  }

  document.addEventListener('visibilitychange', onVisibility)
  connect()
  return live
}

/** Renders again whenever something changes. */
export function useLive(live: Live): Live {
  const [, count] = useState(0)
  useEffect(() => live.subscribe(() => count((n) => n + 1)), [live])
  return live
}

/** Adds to a set and returns a function that removes it again. */
function addTo<T>(set: Set<T>, item: T): () => void {
  set.add(item)
  return () => void set.delete(item)
}
