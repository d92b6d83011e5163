import { pino } from 'pino'
import type { Caller } from '../lib/auth/caller.ts'
import { newKey } from '../lib/auth/key.ts'
import { openContext } from '../lib/context.ts'
import { closeHttpServer, createHttpServer } from '../lib/http/server.ts'
import { migrationStatus } from '../lib/store/migrate.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { STATEMENT_TIMEOUT_MS, databaseSettings, openCommandDatabase } from './_database.ts'
import { loadHandlers } from './_handlers.ts'
import type { Server } from './_http.ts'
import { bind, endpointsOf } from './_serving.ts'
import { awaitDatabase } from './_stores.ts'

/** Anyone with access to the database may do anything; the audit log shows that no key was used. */
const CALLER: Caller = {
  keyId: '00000000-0000-0000-0000-000000000000',
  keyName: 'cli',
  scopes: ['admin'],
  actor: 'cli',
}

/**
 * Serves the API to this command alone, from this process and straight from the database. `--direct` runs the same
 * handlers as a server would, when there is no server or no key. Statements may take far longer, since a person waits.
 */
export async function withDirectServer<T>(terminal: Terminal, work: (server: Server) => Promise<T>): Promise<T> {
  const { valkeyUrl: _, ...settings } = databaseSettings(terminal)
  const config = { ...settings, limitRequests: 0, limitEvents: 0 }
  const key = newKey()
  const database = openCommandDatabase(config)
  const keys = {
    known: (given: string) => (given === key ? CALLER : undefined),
    find: async (given: string) => (given === key ? CALLER : ('unknown' as const)),
  }
  const log = pino({ level: 'silent' })
  const { ctx, release } = await openContext(config, { database, keys, log, stopping: terminal.stop })
  try {
    await awaitDatabase(terminal, database, 0)
    if ((await migrationStatus(database)).some(({ appliedAt }) => !appliedAt))
      throw new CommandError('the database is not migrated: run `flagmeter migrate`', Exit.unavailable)
    const endpoints = endpointsOf(await loadHandlers([])).map(({ handler }) => handler)
    const server = createHttpServer(ctx, endpoints)
    const url = await bind(server, '127.0.0.1', 0, 'PORT')
    try {
      return await work({ url, key, timeoutMs: STATEMENT_TIMEOUT_MS })
    } finally {
      await closeHttpServer(server, 1_000)
    }
  } finally {
    await release()
  }
}
