import { z } from 'zod'
import { query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { loadSql } from '../store/sql.ts'

const EVERY_MS = 250
/** A notification has room for 8,000 bytes. */
const TENANTS_PER_NOTICE = 150

/** What a process has recorded since it last told. */
const Recording = z.object({
  tenants: z.array(z.guid()),
  events: z.int().default(0),
  tokens: z.int().default(0),
  /** Of the oldest event, from being accepted to being visible; missing: no event. */
  freshnessMs: z.number().optional(),
})
export type Recording = z.infer<typeof Recording>

/** A notification: a recording, or a tenant with another change; empty: a ping that checks the connection. */
export const ChangeNotice = z.union([
  Recording,
  z.object({ tenants: z.undefined().optional(), changed: z.guid().optional() }),
])
export type ChangeNotice = z.infer<typeof ChangeNotice>

/** Tells the dashboards of all processes what this one changes: soon, and together. */
export interface Changes {
  /** Events of a tenant were counted, the oldest accepted at `receivedAt`. */
  recorded(tenantId: string, events: number, tokens: number, receivedAt: number): void
  /** Something else of its usage has changed. */
  touched(tenantId: string): void
  /** Sends pending notifications now, and waits for them. */
  flush(): Promise<void>
}

/**
 * Opens the announcements of one process: at most four times a second, whatever the rate of events. They follow the
 * commit in statements of their own: NOTIFY within a transaction takes a lock that lets all of the database commit one
 * by one. While the database does not answer, what is to be told waits.
 */
export function openChanges(database: Database, clock: () => number): Changes {
  const tenants = new Set<string>()
  let [events, tokens, freshnessMs] = [0, 0, -1]
  let timer: NodeJS.Timeout | undefined
  let telling = Promise.resolve()
  let toldAt = 0

  function touched(tenantId: string): void {
    tenants.add(tenantId)
    timer ??= setTimeout(() => void flush(), Math.max(0, toldAt + EVERY_MS - performance.now())).unref()
  }

  function recorded(tenantId: string, count: number, amount: number, receivedAt: number): void {
    events += count
    tokens += amount
    freshnessMs = Math.max(freshnessMs, clock() - receivedAt)
    touched(tenantId)
  }

  const flush = (): Promise<void> => (telling = telling.then(tell))

  async function tell(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    toldAt = performance.now()
    const ids = [...tenants]
    if (ids.length === 0) return
    const sums = { events, tokens, ...(freshnessMs >= 0 && { freshnessMs }) }
    tenants.clear()
    ;[events, tokens, freshnessMs] = [0, 0, -1]
    const notices: Recording[] = []
    for (let from = 0; from < ids.length; from += TENANTS_PER_NOTICE)
      notices.push({ tenants: ids.slice(from, from + TENANTS_PER_NOTICE), events: 0, tokens: 0 })
    Object.assign(notices[0]!, sums)
    const payloads = notices.map((notice) => JSON.stringify(notice))
    await query(database, loadSql('queries/change_notify'), [payloads], 1_000).catch(() => {
      // The sums are for a rate of this moment; which tenants to look at again is not forgotten.
      for (const id of ids) touched(id)
    })
  }

  return { recorded, touched, flush }
}
