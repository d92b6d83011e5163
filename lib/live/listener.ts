import { ChangeNotice } from './changes.ts'
import type { Config } from '../config.ts'
import { query } from '../store/database.ts'
import { type Database, openDatabase } from '../store/connection.ts'
import { loadSql } from '../store/sql.ts'

const PING_MS = 5_000
/** A connection that is silent for this long counts as lost. */
const LOST_MS = 12_000

/** Hears what other processes tell. */
export interface Listener {
  release(): Promise<void>
}

/**
 * Listens on a connection of its own. The driver listens again after a connection was closed, but gives up when that
 * fails, and a connection may break without a word: so a message is sent every five seconds, and a connection that
 * hears none is replaced.
 * @param onGap what was told before is missed: whenever listening begins
 */
export function openListener(
  { config, database }: { config: Pick<Config, 'databaseUrl' | 'databaseSchema'>; database: Database },
  onNotice: (notice: ChangeNotice) => void,
  onGap: () => void,
): Listener {
  let connection: ReturnType<typeof openDatabase>
  let heardAt = 0
  let isReleased = false

  async function listen(): Promise<void> {
    const mine = openDatabase({ ...config, databasePoolSize: 1 })
    connection = mine
    heardAt = performance.now()
    const hear = (payload: string) => {
      heardAt = performance.now()
      const notice = ChangeNotice.safeParse(parse(payload))
      if (notice.success) onNotice(notice.data)
    }
    try {
      const [row] = await query<{ channel: string }>(database, loadSql('queries/notify_channel'))
      if (!isReleased && connection === mine) await mine.listen(row!.channel, hear, onGap)
    } catch {
      // The next look finds it silent.
    }
  }

  const timer = setInterval(() => {
    if (performance.now() - heardAt > LOST_MS) {
      void connection.end({ timeout: 0 })
      void listen()
    } else query(database, loadSql('queries/change_notify'), [['{}']]).catch(() => {})
  }, PING_MS).unref()
  void listen()

  return {
    async release() {
      isReleased = true
      clearInterval(timer)
      await connection.end({ timeout: 0 }).catch(() => {})
    },
  }
}

/** Anyone who can connect to the database can NOTIFY anything. */
function parse(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch {
    return undefined
  }
}
