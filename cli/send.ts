import { Command, InvalidArgumentError } from 'commander'
import { v7 as uuidv7 } from 'uuid'
import type { Terminal } from './_command.ts'
import { ask } from './_http.ts'
import { momentAgo, tokenCount } from './_options.ts'
import { printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

type Options = ServerOptions & {
  id?: string
  timestamp?: string
  model?: string
  user?: string
  usage?: Record<string, unknown>
  cost?: string
  dimension?: Record<string, string>
}

/** `flagmeter send <tenant> <feature> [tokens]` */
export const sendCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('send')
      .description('Sends one event. Retries if needed, with the same id, so it counts once.')
      .argument('<tenant>', 'name or id')
      .argument('<feature>', 'what was used, such as a model')
      .argument('[tokens]', 'how many tokens, like 1500; may be left out beside --usage', tokenCount)
      .option('--model <model>', 'the model, as its provider names it')
      .option('--user <user>', "the tenant's own user")
      .option('--usage <json>', "tokens by pool, or a provider's usage object as it came", usageObject)
      .option('--cost <dollars>', 'what it cost, if you know; default: computed from --usage and --model')
      .option('--dimension <name=value>', 'a value of a declared dimension; may be repeated', dimension)
      .option('--id <id>', 'the event id; default: a new one')
      .option(
        '--timestamp <time>',
        'when it happened: RFC 3339, a day, or like 2h for 2 hours ago; default: now',
        momentAgo,
      ),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  $ flagmeter send acme-corp gpt-4-turbo 1500' +
        `\n  $ flagmeter send acme-corp chat --model gpt-4o --user u-17 --usage '{"input":1000,"output":50}'`,
    )
    .action(async (tenant: string, feature: string, tokens: number | undefined, given: Options) => {
      const { id = uuidv7(), timestamp, model, user, usage, cost, dimension: dimensions, ...options } = given
      const body = { tenant, feature, tokens, id, timestamp, model, user, usage, cost, dimensions }
      const answer = await withServer(terminal, options, (server) =>
        ask<{ eventId: string }>({ server, path: '/api/events', body }),
      )
      if (options.json) printJson(terminal, answer)
      else terminal.out.write(`accepted ${answer.eventId}\n`)
    })

function usageObject(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError(`It must be a JSON object like '{"input":1000,"output":50}'.`)
}

function dimension(given: string, before: Record<string, string> = {}): Record<string, string> {
  const at = given.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('It must be a name and a value like team=search.')
  return { ...before, [given.slice(0, at)]: given.slice(at + 1) }
}
