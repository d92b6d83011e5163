import { Command } from 'commander'
import { v7 as uuidv7 } from 'uuid'
import { type Terminal, printJson, serverOf, wholeNumber } from './_command.ts'
import { ask } from './_http.ts'

/** `flagmeter send <tenant> <feature> <tokens>` */
export const sendCommand = (terminal: Terminal): Command =>
  new Command('send')
    .description('Sends one event. Tried again if need be, with the same id: it counts once.')
    .argument('<tenant>', 'name or id')
    .argument('<feature>', 'what was used, such as a model')
    .argument('<tokens>', 'how many tokens', wholeNumber)
    .option('--id <id>', 'the event id; default: a new one')
    .option('--timestamp <time>', 'when it happened, RFC 3339; default: now')
    .option('--url <url>', 'the server; default: FLAGMETER_URL, or the local `up`')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter send acme-corp gpt-4-turbo 1500')
    .action(
      async (
        tenant: string,
        feature: string,
        tokens: number,
        options: { id?: string; timestamp?: string; url?: string; json?: boolean },
      ) => {
        const { id = uuidv7(), timestamp } = options
        const answer = await ask<{ eventId: string }>({
          server: serverOf(terminal, options.url),
          path: '/api/events',
          body: { tenant, feature, tokens, id, ...(timestamp !== undefined && { timestamp }) },
        })
        if (options.json) printJson(terminal, answer)
        else terminal.out.write(`accepted ${answer.eventId}\n`)
      },
    )
