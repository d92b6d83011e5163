import { Command, Option } from 'commander'
import { PERIODS, type QuotaSettings } from '../lib/quota/quota.ts'
import type { Quota } from '../lib/admin/quotas.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { ask, askAll } from './_http.ts'
import { idOf, onOff, percents, tokenCount } from './_options.ts'
import { type View, printItem, printItems, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

type Options = Partial<QuotaSettings> & ServerOptions

const limit = (): Option => new Option('--token-limit <tokens>', 'tokens per period, like 50k').argParser(tokenCount)

const withSettings = (command: Command): Command =>
  command
    .addOption(onOff('--hard', 'whether to refuse checks and reservations beyond it (default of a new quota: on)'))
    .option('--thresholds <percents>', 'where alerts are raised, in percent (default of a new quota: 80,100)', percents)

const quotaId = idOf('a quota', 'flagmeter quota list')
const EXAMPLE_ID = '2c1f7c3e-6f0d-4a53-8a0e-3b5a7e6d9c21'

/** `flagmeter quota list|create|update|delete` */
export function quotaCommand(terminal: Terminal): Command {
  const list = overHttp(
    new Command('list')
      .description('Lists the additional quotas of a tenant, or of all. `flagmeter usage` shows what is left of each.')
      .argument('[tenant]', 'name or id'),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter quota list acme-corp')
    .action(async (tenant: string | undefined, options: ServerOptions) => {
      const quotas = await withServer(terminal, options, (server) =>
        askAll<Quota>(server, '/api/quotas', 'quotas', { tenant }),
      )
      printItems(terminal, options, quotas, QUOTAS)
    })
  const create = overHttp(
    withSettings(
      new Command('create')
        .description('Adds a quota to a tenant. Usage so far in its open period counts.')
        .argument('<tenant>', 'name or id')
        .option('--feature <feature>', 'which feature it counts (default: all)')
        .addOption(new Option('--period <period>', 'how often it resets').choices(PERIODS).makeOptionMandatory())
        .addOption(limit().makeOptionMandatory()),
    ),
  )
    .addHelpText(
      'after',
      '\nExample:\n  $ flagmeter quota create acme-corp --feature gpt-4-turbo --period day --token-limit 50k',
    )
    .action(async (tenant: string, { url, direct, json, ...given }: Options) => {
      const body = { tenant, ...given }
      const quota = await withServer(terminal, { url, direct }, (server) =>
        ask<Quota>({ server, path: '/api/quotas', body, once: true }),
      )
      printItem(terminal, { json }, quota, QUOTAS)
    })
  const update = overHttp(
    withSettings(
      new Command('update')
        .description('Changes a quota. A newly crossed threshold raises its alert at once.')
        .argument('<quota>', 'its id, from `flagmeter quota list`', quotaId)
        .addOption(limit()),
    ),
  )
    .addHelpText('after', `\nExample:\n  $ flagmeter quota update ${EXAMPLE_ID} --token-limit 75k`)
    .action(async (id: string, { url, direct, json, ...body }: Options) => {
      if (Object.keys(body).length === 0) throw new CommandError('nothing to change: give an option', Exit.usage)
      const quota = await withServer(terminal, { url, direct }, (server) =>
        ask<Quota>({ server, path: `/api/quotas/${id}`, method: 'PATCH', body }),
      )
      printItem(terminal, { json }, quota, QUOTAS)
    })
  const remove = overHttp(
    new Command('delete')
      .description('Deletes a quota with its counters. Its alerts stay.')
      .argument('<quota>', 'its id, from `flagmeter quota list`', quotaId),
  )
    .addHelpText('after', `\nExample:\n  $ flagmeter quota delete ${EXAMPLE_ID}`)
    .action(async (id: string, options: ServerOptions) => {
      const quota = await withServer(terminal, options, (server) =>
        ask<Quota>({ server, path: `/api/quotas/${id}`, method: 'DELETE', once: true }),
      )
      if (options.json) printJson(terminal, quota)
      else terminal.out.write(`deleted ${quota.id}\n`)
    })
  return new Command('quota')
    .description('Lists, creates, changes and deletes the quotas that tenants have in addition to the monthly one.')
    .addHelpText('after', '\nExample:\n  $ flagmeter quota create acme-corp --period hour --token-limit 20k')
    .addCommand(list)
    .addCommand(create)
    .addCommand(update)
    .addCommand(remove)
}

const QUOTAS: View<Quota> = {
  none: 'no additional quotas',
  head: ['tenant', 'feature', 'per', 'limit', 'kind', 'alerts at', 'id'],
  row: (quota) => [
    quota.tenantName,
    quota.feature ?? '(all)',
    quota.period,
    quota.tokenLimit,
    quota.hard ? 'hard' : 'soft',
    quota.thresholds.map((percent) => `${percent} %`).join(', '),
    quota.id,
  ],
}
