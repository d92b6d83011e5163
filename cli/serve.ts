import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { type Context, openContext } from '../lib/context.ts'
import { IGNORED, ensureAdminKey } from './_admin_key.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { databaseSettings } from './_database.ts'
import { databaseIsThere } from './_stores.ts'
import { loadHandlers } from './_handlers.ts'
import { aborted, endpointsOf, listen, listenMetrics, settleHeap } from './_serving.ts'

/** `flagmeter serve [handler…]` */
export const serveCommand = (terminal: Terminal): Command =>
  new Command('serve')
    .description('Serves the HTTP handlers, all or those named; consumers run in `worker`.')
    .argument('[handlers...]', 'names of files in handlers/, such as event-ingest')
    .addHelpText(
      'after',
      `
Example:
  $ DATABASE_URL=postgres://… flagmeter serve
  $ DATABASE_URL=postgres://… VALKEY_URL=redis://… PORT=3001 flagmeter serve event-ingest health`,
    )
    .action(async (names: string[]) => {
      const loaded = await loadHandlers(names)
      const endpoints = endpointsOf(loaded)
      const consumer = names.find((name) => !endpoints.some((endpoint) => endpoint.name === name))
      if (consumer !== undefined)
        throw new CommandError(`'${consumer}' is a consumer: run \`flagmeter worker ${consumer}\``, Exit.usage)
      const config = databaseSettings(terminal)
      const { ctx, release } = await openContext(config, { stopping: terminal.stop })
      try {
        const metrics = await listenMetrics(ctx)
        const server = await listen(ctx, endpoints)
        void letSomebodyIn(ctx, terminal.stop)
        settleHeap()
        ctx.log.info({ url: server.url, metrics: metrics?.url, handlers: endpoints.map(({ name }) => name) }, 'serving')
        await aborted(terminal.stop)
        ctx.log.info('draining')
        // SIGTERM comes from a container engine; after Ctrl-C a person waits, and there is no load balancer to drain.
        if (terminal.stop.reason === 'SIGTERM') await sleep(config.drainDelayMs)
        await server.close()
        await metrics?.close()
      } finally {
        await release()
      }
    })

/**
 * Creates the first admin key as soon as there is a migrated database. Servers start in any order and listen meanwhile.
 */
async function letSomebodyIn(ctx: Context, stop: AbortSignal): Promise<void> {
  while (await databaseIsThere(ctx, stop)) {
    try {
      const { file, isIgnored } = await ensureAdminKey(ctx.database, ctx.config)
      if (file !== undefined) ctx.log.info({ file }, 'made the first admin key')
      if (isIgnored) ctx.log.warn(IGNORED)
      return
    } catch (error) {
      ctx.log.error({ reason: (error as Error).message }, 'no admin key yet')
      await sleep(2_000, undefined, { signal: stop }).catch(() => {})
    }
  }
}
