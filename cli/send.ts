import { Command } from 'commander'
import { v7 as uuidv7 } from 'uuid'
import type { Terminal } from './_command.ts'
import { ask } from './_http.ts'
import { momentAgo, tokenCount } from './_options.ts'
import { printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

type Options = ServerOptions & { id?: string; timestamp?: string }

/** `flagmeter send <tenant> <feature> <tokens>` */
export const sendCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('send')
      .description('Sends one event. Retries if needed, with the same id, so it counts once.')
      .argument('<tenant>', 'name or id')
      .argument('<feature>', 'what was used, such as a model')
      .argument('<tokens>', 'how many tokens, like 1500', tokenCount)
      .option('--id <id>', 'the event id; default: a new one')
      .option(
        '--timestamp <time>',
        'when it happened: RFC 3339, a day, or like 2h for 2 hours ago; default: now',
        momentAgo,
      ),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter send acme-corp gpt-4-turbo 1500')
    .action(
      async (tenant: string, feature: string, tokens: number, { id = uuidv7(), timestamp, ...options }: Options) => {
        const body = { tenant, feature, tokens, id, timestamp }
        const answer = await withServer(terminal, options, (server) =>
          ask<{ eventId: string }>({ server, path: '/api/events', body }),
        )
        if (options.json) printJson(terminal, answer)
        else terminal.out.write(`accepted ${answer.eventId}\n`)
      },
    )
