import { Readable } from 'node:stream'
import type { Caller } from '../auth/caller.ts'
import type { ChangeNotice } from './changes.ts'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { type Listener, openListener } from './listener.ts'
import { findOverview } from '../usage/overview.ts'
import { Problem } from '../problem.ts'
import { openPace } from './pace.ts'
import { loadSql } from '../store/sql.ts'

const FRAME_MS = 250
const FRAME_TENANTS = 500
/** Every browser receives something this often: after five such pauses it takes its connection for dead. */
const BEAT_EVERY_MS = 1_000
const LOOK_EVERY_MS = 5_000
/** A tenant's pace looks two minutes back: for that long after its last event its row is sent again. */
const ACTIVE_MS = 130_000
/** A browser that reads this slowly is disconnected; it reconnects and starts over. */
const MOST_BUFFERED = 4 * 1024 * 1024
const STREAMS_PER_KEY = 100

/** What every browser receives, from one query of the database. */
export interface Feed {
  /**
   * A stream of server-sent events for a caller: of its tenant alone, if it is bound to one. @throws Problem
   * rate_limited
   */
  watch(caller: Caller): Readable
  release(): Promise<void>
}

interface Watcher extends Readable {
  caller: Caller
}

interface Needs {
  config: Pick<Config, 'databaseUrl' | 'databaseSchema'>
  database: Database
  log: Logger
  clock: () => number
  stopping: AbortSignal
}

/** Opens the feed of one process. It listens and looks only while somebody watches, and then once for all who do. */
export function openFeed({ config, database, clock, log, stopping }: Needs): Feed {
  const watchers = new Set<Watcher>()
  const pace = openPace()
  /**
   * Tenants whose rows are to be shown again, in the order of their changes; and those of which something else has
   * changed.
   */
  const stale = new Set<string>()
  /** Those whose pace is to be shown again. They wait behind the others: with many, they fill frames for seconds. */
  const slowing = new Set<string>()
  const changed = new Set<string>()
  const activeAt = new Map<string, number>()
  let failures = { deadLetters: 0, failingDeliveries: 0 }
  let listener: Listener | undefined
  let timers: NodeJS.Timeout[] = []
  let isFraming = false

  function watch(caller: Caller): Readable {
    const open = [...watchers].filter((other) => other.caller.keyId === caller.keyId).length
    if (open >= STREAMS_PER_KEY)
      throw new Problem(
        'rate_limited',
        { detail: `a key may have ${STREAMS_PER_KEY} streams open` },
        { 'retry-after': '5' },
      )
    const watcher = Object.assign(new Readable({ read() {} }), { caller })
    watchers.add(watcher)
    watcher.once('close', () => leave(watcher))
    watcher.push('retry: 1000\n\n')
    if (stopping.aborted) end(watcher)
    else if (!listener) start()
    return watcher
  }

  function end(watcher: Watcher): void {
    watcher.push(null)
    leave(watcher)
  }

  function leave(watcher: Watcher): void {
    watchers.delete(watcher)
    if (watchers.size === 0) stop()
  }

  function start(): void {
    pace.start(performance.now())
    listener = openListener({ config, database }, hear, () => {
      send('reload', {})
      void findActive()
    })
    const every = (ms: number, work: () => void) => timers.push(setInterval(work, ms).unref())
    every(FRAME_MS, () => void sendFrame())
    every(BEAT_EVERY_MS, () => {
      send('totals', { ...pace.read(performance.now()), ...failures }, (to) => !to.tenantId)
      send('beat', {}, (to) => to.tenantId !== undefined)
    })
    every(LOOK_EVERY_MS, () => void look())
    void look()
  }

  function stop(): void {
    for (const timer of timers) clearInterval(timer)
    timers = []
    for (const known of [stale, slowing, changed, activeAt]) known.clear()
    void listener?.release()
    listener = undefined
  }

  function hear(notice: ChangeNotice): void {
    const now = performance.now()
    if (notice.tenants) {
      for (const id of notice.tenants) {
        stale.add(id)
        activeAt.set(id, now)
      }
      pace.add(now, notice)
    } else if (notice.changed !== undefined) {
      stale.add(notice.changed)
      changed.add(notice.changed)
    }
  }

  /** Whose pace must fall although their events were not notified. */
  async function findActive(): Promise<void> {
    const rows = await query<{ id: string }>(database, loadSql('queries/usage_active'), [
      new Date(clock()).toISOString(),
    ]).catch(() => [])
    for (const { id } of rows) activeAt.set(id, performance.now())
  }

  /** One query for all who watch; while it runs, the next frame fills up. */
  async function sendFrame(): Promise<void> {
    const ids = [...new Set([...stale, ...slowing])].slice(0, FRAME_TENANTS)
    if (isFraming || ids.length === 0) return
    isFraming = true
    for (const id of ids) {
      stale.delete(id)
      slowing.delete(id)
    }
    const others = [...changed]
    changed.clear()
    try {
      const rows = await findOverview(database, clock(), ids)
      const known = new Set(rows.map(({ tenant }) => tenant))
      const gone = ids.filter((id) => !known.has(id))
      send('usage', { tenants: rows, gone }, (to) => !to.tenantId)
      for (const row of rows) send('usage', { tenants: [row], gone: [] }, (to) => to.tenantId === row.tenant)
      if (others.length > 0) send('changed', { tenants: others }, (to) => !to.tenantId)
      for (const id of others) send('changed', { tenants: [id] }, (to) => to.tenantId === id)
    } catch (error) {
      log.debug({ reason: (error as Error).message }, 'no frame for the dashboards')
      for (const id of ids) stale.add(id)
      for (const id of others) changed.add(id)
    } finally {
      isFraming = false
    }
  }

  async function look(): Promise<void> {
    const now = performance.now()
    for (const [id, at] of activeAt) {
      if (now - at > ACTIVE_MS) activeAt.delete(id)
      slowing.add(id)
    }
    const [row] = await query<{ dead_letters: number; failing_deliveries: number }>(
      database,
      loadSql('queries/feed_totals'),
    ).catch(() => [])
    if (row) failures = { deadLetters: row.dead_letters, failingDeliveries: row.failing_deliveries }
  }

  /** Written once for all who get it, as bytes: a hundred streams that nobody reads hold the same ones. */
  function send(event: string, data: object, isFor: (caller: Caller) => boolean = () => true): void {
    const receivers = [...watchers].filter(({ caller }) => isFor(caller))
    if (receivers.length === 0) return
    const frame = Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    for (const watcher of receivers) {
      if (watcher.readableLength > MOST_BUFFERED) watcher.destroy()
      else watcher.push(frame)
    }
  }

  stopping.addEventListener('abort', () => {
    for (const watcher of watchers) end(watcher)
  })

  return {
    watch,
    async release() {
      const last = listener
      for (const watcher of watchers) end(watcher)
      await last?.release()
    },
  }
}
