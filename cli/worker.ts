import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { type Context, openContext } from '../lib/context.ts'
import type { Consumer } from '../lib/worker/consumer.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { databaseSettings } from './_database.ts'
import { type NamedHandler, loadHandlers } from './_handlers.ts'
import { databaseIsThere } from './_stores.ts'
import { aborted, consume, consumersOf, listenMetrics, settleHeap } from './_serving.ts'

/** `flagmeter worker [consumer…]` */
export const workerCommand = (terminal: Terminal): Command =>
  new Command('worker')
    .description(
      'Runs all consumers, or those named: rollup moves events from the stream into PostgreSQL, deliver sends alerts ' +
        'to webhooks, lapse gives back reservations that nobody settled, rebuild continues changes of billing ' +
        'days and time zones, prune deletes data past its retention.',
    )
    .argument('[consumers...]', 'names of files in handlers/, such as rollup')
    .option('--once', 'do the work there is, then exit')
    .addHelpText(
      'after',
      `
Example:
  $ DATABASE_URL=postgres://… VALKEY_URL=redis://… flagmeter worker
  $ flagmeter worker rollup --once`,
    )
    .action(async (names: string[], { once = false }: { once?: boolean }) => {
      const loaded = await loadHandlers(names)
      const consumers = consumersOf(loaded)
      const endpoint = names.find((name) => !consumers.some((consumer) => consumer.name === name))
      if (endpoint !== undefined)
        throw new CommandError(`'${endpoint}' is an endpoint: run \`flagmeter serve ${endpoint}\``, Exit.usage)
      const config = databaseSettings(terminal)
      const stream = consumers.find(({ handler }) => handler.kind === 'stream')
      if (stream && names.length > 0 && !config.valkeyUrl) {
        throw new CommandError(`'${stream.name}' reads a stream: set VALKEY_URL`, Exit.usage)
      }
      const { ctx, release } = await openContext(config, { stopping: terminal.stop })
      try {
        const metrics = await listenMetrics(ctx)
        if (once || (await databaseIsThere(ctx, terminal.stop))) {
          const parts = { consumers: consumers.map(({ name }) => name), stream: config.valkeyUrl ? 'on' : 'off' }
          ctx.log.info({ ...parts, metrics: metrics?.url }, 'working')
          settleHeap()
          await consumeUntil(ctx, consumers, terminal.stop, once)
        }
        await metrics?.close()
        ctx.log.info('stopped')
      } finally {
        await release()
      }
    })

/** Consumes until stopped, and then for as long as a server may take: a hanging store must not delay the exit. */
async function consumeUntil(
  ctx: Context,
  consumers: NamedHandler<Consumer>[],
  stop: AbortSignal,
  once: boolean,
): Promise<void> {
  const { drainDelayMs, drainTimeoutMs } = ctx.config
  const late = aborted(stop).then(() => sleep(drainDelayMs + drainTimeoutMs, 'late', { ref: false }))
  if ((await Promise.race([consume(ctx, consumers, stop, { once }), late])) === 'late')
    ctx.log.warn('stopping with work in hand: another worker takes it over, and it counts once')
}
