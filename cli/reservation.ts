import { Command } from 'commander'
import { v7 as uuidv7 } from 'uuid'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { ask } from './_http.ts'
import { tokenCount, wholeNumber } from './_options.ts'
import { printJson, secondOf } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface NewReservation extends ServerOptions {
  model?: string
  user?: string
  input?: number
  output?: number
  ttlSeconds?: number
  idempotencyKey?: string
}

interface Reserved {
  id: string
  expiresAt: string
  remaining?: number
  remainingCost?: string
}

const EXAMPLE_ID = 'rs_DV8_UjwPSkGaYg9fD58KCwGanaDQ3HsenDZvfE8MLRHxAZqdoNDcZ3B0LTQtdHVyYm8'

/** `flagmeter reserve <tenant> <feature> [tokens]` */
export const reserveCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('reserve')
      .description(
        'Sets aside what a call may come to: all of it, or nothing when a hard quota has too little left. ' +
          'Prints the id for `settle` and `release`. Retries if needed, but reserves only once.',
      )
      .argument('<tenant>', 'name or id')
      .argument('<feature>', 'what will be used, such as a model')
      .argument(
        '[tokens]',
        'how many tokens at most, like 1500; may be left out beside --input and --output',
        tokenCount,
      )
      .option('--model <model>', 'the model that will be called')
      .option('--user <user>', 'the user it is for')
      .option('--input <tokens>', 'input tokens at most', tokenCount)
      .option('--output <tokens>', 'output tokens at most', tokenCount)
      .option('--ttl-seconds <n>', 'how many seconds they are held, up to 3600 (default: 300)', wholeNumber)
      .option('--idempotency-key <key>', 'the same key reserves once, however often it is sent; default: a new one'),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter reserve acme-corp gpt-4-turbo 1500')
    .action(
      async (
        tenant: string,
        feature: string,
        tokens: number | undefined,
        { ttlSeconds, idempotencyKey = uuidv7(), model, user, input, output, ...options }: NewReservation,
      ) => {
        const body = { tenant, feature, tokens, model, user, input, output, ttlSeconds }
        const headers = { 'idempotency-key': idempotencyKey }
        const reserved = await withServer(terminal, options, (server) =>
          ask<Reserved>({ server, path: '/api/reservations', body, headers }),
        )
        if (options.json) return printJson(terminal, reserved)
        const { id, expiresAt, remaining, remainingCost } = reserved
        const room = remainingCost === undefined ? remaining?.toLocaleString('en-US') : `$${remainingCost}`
        const left = room === undefined ? 'nothing is held' : `${room} left of the tightest quota`
        terminal.out.write(`reserved ${id}\nuntil ${secondOf(expiresAt)} UTC; ${left}\n`)
      },
    )

/** `flagmeter settle <reservation> <tokens>` */
export const settleCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('settle')
      .description('Records the tokens really used, fewer or more than reserved. Settling twice counts once.')
      .argument('<reservation>', 'its id, as `flagmeter reserve` prints it', reservationId)
      .argument('<tokens>', 'how many tokens were used', tokenCount),
  )
    .addHelpText('after', `\nExample:\n  $ flagmeter settle ${EXAMPLE_ID} 1320`)
    .action(async (id: string, tokens: number, options: ServerOptions) => {
      if (tokens === 0)
        throw new CommandError('0 tokens: to give a reservation back unused, `flagmeter release` it', Exit.usage)
      const answer = await withServer(terminal, options, (server) =>
        ask<{ eventId: string }>({ server, path: `/api/reservations/${id}/settle`, body: { tokens } }),
      )
      if (options.json) printJson(terminal, answer)
      else terminal.out.write(`settled as event ${answer.eventId}\n`)
    })

/** `flagmeter release <reservation>` */
export const releaseCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('release')
      .description('Gives back an unused reservation. Does nothing if it was settled or has lapsed.')
      .argument('<reservation>', 'its id, as `flagmeter reserve` prints it', reservationId),
  )
    .addHelpText('after', `\nExample:\n  $ flagmeter release ${EXAMPLE_ID}`)
    .action(async (id: string, options: ServerOptions) => {
      const answer = await withServer(terminal, options, (server) =>
        ask<object>({ server, path: `/api/reservations/${id}/release`, method: 'POST' }),
      )
      if (options.json) printJson(terminal, answer)
      else terminal.out.write('released\n')
    })

function reservationId(value: string): string {
  if (/^rs_[\w-]+$/.test(value)) return value
  throw new CommandError(
    `'${value}' is not the id of a reservation, which begins with rs_: \`flagmeter reserve\` prints it`,
    Exit.usage,
  )
}
