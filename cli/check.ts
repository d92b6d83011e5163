import { Command } from 'commander'
import { type QuotaUsage, limitInWords } from '../lib/quota/quota.ts'
import { CommandError, type Terminal } from './_command.ts'
import { ask } from './_http.ts'
import { tokenCount } from './_options.ts'
import { minuteOf, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface Advice {
  allowed: boolean
  remaining?: number
  quota?: QuotaUsage
  failMode?: string
}

/** `flagmeter check <tenant> <feature> <tokens>` */
export const checkCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('check')
      .description(
        'Checks whether a tenant has this many tokens left for a feature, without taking them. Exits 1 if not.',
      )
      .argument('<tenant>', 'name or id')
      .argument('<feature>', 'what will be used, such as a model')
      .argument('<tokens>', 'how many tokens, like 1500', tokenCount),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter check acme-corp gpt-4-turbo 1500 && ./summarize.sh')
    .action(async (tenant: string, feature: string, tokens: number, options: ServerOptions) => {
      const body = { tenant, feature, tokens }
      const advice = await withServer(terminal, options, (server) => ask<Advice>({ server, path: '/api/check', body }))
      if (options.json) printJson(terminal, advice)
      else if (advice.allowed) terminal.out.write(`allowed: ${roomInWords(advice)}\n`)
      if (!advice.allowed)
        throw new CommandError(`refused ${tokens.toLocaleString('en-US')} tokens: ${roomInWords(advice)}`)
    })

/** Like `48,500 of 50,000 gpt-4-turbo tokens today are left, until 2026-01-31 00:00 UTC`. */
function roomInWords({ remaining, quota, failMode }: Advice): string {
  if (remaining === undefined || quota === undefined)
    return `the database does not answer, and the tenant's fail mode is ${failMode}`
  const left = `${remaining.toLocaleString('en-US')} of ${limitInWords(quota)} are left`
  return `${left}, until ${minuteOf(quota.resetAt)} UTC${quota.hard ? '' : '; the quota is soft'}`
}
