import { Command } from 'commander'
import { tokensOfCall } from '../lib/quota/asked_call.ts'
import { limitInWords } from '../lib/quota/limit.ts'
import { type QuotaUsage } from '../lib/quota/quota.ts'
import { CommandError, type Terminal } from './_command.ts'
import { ask } from './_http.ts'
import { tokenCount } from './_options.ts'
import { minuteOf, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface Advice {
  allowed: boolean
  remaining?: number
  remainingCost?: string
  unpriced?: true
  quota?: QuotaUsage
  failMode?: string
}

type Options = ServerOptions & { model?: string; user?: string; input?: number; output?: number }

/** `flagmeter check <tenant> <feature> [tokens]` */
export const checkCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('check')
      .description(
        'Checks whether a call has room in every quota of a tenant, without taking anything. Exits 1 if not.',
      )
      .argument('<tenant>', 'name or id')
      .argument('<feature>', 'what will be used, such as a model')
      .argument('[tokens]', 'how many tokens, like 1500; may be left out beside --input and --output', tokenCount)
      .option('--model <model>', 'the model that will be called')
      .option('--user <user>', 'the user it is for')
      .option('--input <tokens>', 'input tokens at most', tokenCount)
      .option('--output <tokens>', 'output tokens at most', tokenCount),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter check acme-corp gpt-4-turbo 1500 && ./summarize.sh')
    .action(async (tenant: string, feature: string, tokens: number | undefined, given: Options) => {
      const { model, user, input, output, ...options } = given
      const body = { tenant, feature, tokens, model, user, input, output }
      const advice = await withServer(terminal, options, (server) => ask<Advice>({ server, path: '/api/check', body }))
      if (options.json) printJson(terminal, advice)
      else if (advice.allowed) terminal.out.write(`allowed: ${roomInWords(advice)}\n`)
      if (!advice.allowed)
        throw new CommandError(`refused ${tokensOfCall(body).toLocaleString('en-US')} tokens: ${roomInWords(advice)}`)
    })

/** Like `48,500 of 50,000 gpt-4-turbo tokens today are left, until 2026-01-31 00:00 UTC`. */
function roomInWords({ remaining, remainingCost, quota, unpriced, failMode }: Advice): string {
  if (quota === undefined) return `the database does not answer, and the tenant's fail mode is ${failMode}`
  if (unpriced) return `it is unknown what the call may cost, and a quota allows ${limitInWords(quota)}`
  const left = `${remaining?.toLocaleString('en-US') ?? `$${remainingCost}`} of ${limitInWords(quota)} are left`
  return `${left}, until ${minuteOf(quota.resetAt)} UTC${quota.hard ? '' : '; the quota is soft'}`
}
