import { setTimeout as sleep } from 'node:timers/promises'
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, openEmbeddedPostgres } from './postgres.ts'

interface Options extends Omit<EmbeddedPostgresOptions, 'port'> {
  /**
   * It stopped without being told to, or could not be started again, for this reason; it is started in so many
   * milliseconds.
   */
  onRestart: (reason: string, pauseMs: number) => void
  /** It answers again. */
  onBack: () => void
  /** It is not started again. */
  onExit: (reason: string) => void
}

/** A server that dies this often dies of something that a restart does not fix. */
const MOST_RESTARTS = 5
const WITHIN_MS = 10 * 60_000
/** Three times as long before each further start: 12 s in all. */
const FIRST_PAUSE_MS = 100

/**
 * The server of `openEmbeddedPostgres`, started again when it dies: on the same port, so that its URL stays good, and
 * at most five times in ten minutes. Connections meanwhile are refused, as in any outage.
 * @throws EmbeddedPostgresError when the first start fails
 */
export async function keepEmbeddedPostgres({
  onRestart,
  onBack,
  onExit,
  ...options
}: Options): Promise<EmbeddedPostgres> {
  const released = new AbortController()
  let startedAgainAt: number[] = []
  let starting: Promise<void> | undefined
  let server = await openEmbeddedPostgres({ ...options, onExit: died })
  const { url } = server
  const port = Number(new URL(url).port)

  function died(reason: string): void {
    starting = startAgain(reason)
  }

  async function startAgain(cause: string): Promise<void> {
    for (let reason = cause; ;) {
      startedAgainAt = startedAgainAt.filter((at) => performance.now() - at < WITHIN_MS)
      const pauseMs = FIRST_PAUSE_MS * 3 ** startedAgainAt.length
      if (startedAgainAt.length === MOST_RESTARTS)
        return onExit(`${reason} (started again ${MOST_RESTARTS} times in ten minutes)`)
      onRestart(reason, pauseMs)
      startedAgainAt.push(performance.now())
      await sleep(pauseMs, undefined, { signal: released.signal }).catch(() => {})
      if (released.signal.aborted) return
      try {
        server = await openEmbeddedPostgres({ ...options, port, onExit: died })
        return onBack()
      } catch (error) {
        reason = (error as Error).message
      }
    }
  }

  return {
    url,
    async release() {
      released.abort()
      await starting
      await server.release()
    },
  }
}
