import { Command } from 'commander'
import type { Repriced } from '../lib/prices/reprice.ts'
import type { Terminal } from './_command.ts'
import { CommandError } from './_command.ts'
import { ask } from './_http.ts'
import { momentAgo } from './_options.ts'
import { printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

type Options = ServerOptions & { from: string; to?: string; model?: string; tenant?: string }

/** `flagmeter reprice` */
export const repriceCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('reprice')
      .description(
        'Prices events again: those whose cost is unknown, and those whose price was wrong. A cost that a sender ' +
          'reported stays. The books are right at every moment; if it is stopped, run it again.',
      )
      .requiredOption('--from <time>', 'since when: RFC 3339, a day, or like 7d for 7 days ago', momentAgo)
      .option('--to <time>', 'the end, the same way; default: now', momentAgo)
      .option('--model <model>', 'only events of this model')
      .option('--tenant <tenant>', 'only events of this tenant, by name or id'),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter reprice --from 7d --model our-llama-3')
    .action(async ({ from, to = new Date().toISOString(), model, tenant, ...options }: Options) => {
      const total = { examined: 0, repriced: 0 }
      await withServer(terminal, options, async (server) => {
        for (let after: string | undefined; ;) {
          const body = { from, to, model, tenant, after }
          const step = await ask<Repriced>({ server, path: '/api/reprice', body })
          total.examined += step.examined
          total.repriced += step.repriced
          after = step.next
          if (after === undefined) return
          if (terminal.stop.aborted) throw new CommandError(`stopped after ${describe(total)}; run it again`, 130)
          if (!options.json) terminal.err.write(`${describe(total)}\n`)
        }
      })
      if (options.json) printJson(terminal, total)
      else terminal.out.write(`${describe(total)}\n`)
    })

const describe = ({ examined, repriced }: Repriced): string =>
  `${examined.toLocaleString('en-US')} events looked at, ${repriced.toLocaleString('en-US')} repriced`
