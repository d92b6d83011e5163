import { Command, Option } from 'commander'
import { type LimitInput, PERIODS, limitOf } from '../lib/quota/limit.ts'
import { type QuotaSettings } from '../lib/quota/quota_settings.ts'
import type { QuotaException } from '../lib/admin/quota_exceptions.ts'
import type { Quota } from '../lib/admin/quotas.ts'
import { dollarsInWords, parseDollars } from '../lib/prices/money.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { ask, askAll } from './_http.ts'
import { idOf, onOff, percents, tokenCount } from './_options.ts'
import { type View, printItem, printItems, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

type Options = Partial<QuotaSettings> & ServerOptions

const withLimits = (command: Command): Command =>
  command
    .addOption(new Option('--token-limit <tokens>', 'tokens per period, like 50k').argParser(tokenCount))
    .addOption(new Option('--request-limit <requests>', 'requests per period, like 1000').argParser(tokenCount))
    .option('--cost-limit <dollars>', 'US dollars per period, like 500 or 0.50')

const withSettings = (command: Command): Command =>
  withLimits(command)
    .addOption(onOff('--hard', 'whether to refuse checks and reservations beyond it (default of a new quota: on)'))
    .option('--thresholds <percents>', 'where alerts are raised, in percent (default of a new quota: 80,100)', percents)

const quotaId = idOf('a quota', 'flagmeter quota list')
const EXAMPLE_ID = '2c1f7c3e-6f0d-4a53-8a0e-3b5a7e6d9c21'

/** `flagmeter quota list|create|update|delete|exception` */
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
        .description(
          'Adds a quota to a tenant: of tokens, requests or cost, by the limit that is given. Usage so far in its ' +
            'open period counts; of a quota by model or per user, only what comes from now on.',
        )
        .argument('<tenant>', 'name or id')
        .option('--feature <feature>', 'which feature it counts (default: all)')
        .option('--model <model>', 'which model it counts (default: all)')
        .addOption(new Option('--per <what>', 'counts each user by itself').choices(['user']))
        .addOption(new Option('--period <period>', 'how often it resets').choices(PERIODS).makeOptionMandatory()),
    ),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  $ flagmeter quota create acme-corp --feature gpt-4-turbo --period day --token-limit 50k' +
        '\n  $ flagmeter quota create acme-corp --per user --period month --cost-limit 5.00',
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
        .argument('<quota>', 'its id, from `flagmeter quota list`', quotaId),
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
    .addCommand(exceptionCommand(terminal))
}

/** `flagmeter quota exception list|set|delete` */
function exceptionCommand(terminal: Terminal): Command {
  const path = (quota: string, user?: string) =>
    `/api/quotas/${quota}/users${user === undefined ? '' : `/${encodeURIComponent(user)}`}`
  const list = overHttp(
    new Command('list')
      .description('Lists the users who have a limit of their own in a quota.')
      .argument('<quota>', 'its id, from `flagmeter quota list`', quotaId),
  )
    .addHelpText('after', `\nExample:\n  $ flagmeter quota exception list ${EXAMPLE_ID}`)
    .action(async (quota: string, options: ServerOptions) => {
      const users = await withServer(terminal, options, (server) =>
        askAll<QuotaException>(server, path(quota), 'users'),
      )
      printItems(terminal, options, users, EXCEPTIONS)
    })
  const set = overHttp(
    withLimits(
      new Command('set')
        .description('Gives one user a limit of its own in a quota per user.')
        .argument('<quota>', 'its id, from `flagmeter quota list`', quotaId)
        .argument('<user>', 'as events name it'),
    ),
  )
    .addHelpText('after', `\nExample:\n  $ flagmeter quota exception set ${EXAMPLE_ID} u-17 --cost-limit 25`)
    .action(async (quota: string, user: string, { url, direct, json, ...body }: Options) => {
      const exception = await withServer(terminal, { url, direct }, (server) =>
        ask<QuotaException>({ server, path: path(quota, user), method: 'PUT', body }),
      )
      printItem(terminal, { json }, exception, EXCEPTIONS)
    })
  const remove = overHttp(
    new Command('delete')
      .description('Takes away the own limit of a user: the limit of the quota counts again.')
      .argument('<quota>', 'its id, from `flagmeter quota list`', quotaId)
      .argument('<user>', 'as events name it'),
  )
    .addHelpText('after', `\nExample:\n  $ flagmeter quota exception delete ${EXAMPLE_ID} u-17`)
    .action(async (quota: string, user: string, options: ServerOptions) => {
      const gone = await withServer(terminal, options, (server) =>
        ask<QuotaException>({ server, path: path(quota, user), method: 'DELETE' }),
      )
      if (options.json) printJson(terminal, gone)
      else terminal.out.write(`deleted the own limit of ${user}\n`)
    })
  return new Command('exception')
    .description('Lists, sets and deletes limits of single users in quotas per user.')
    .addHelpText('after', `\nExample:\n  $ flagmeter quota exception set ${EXAMPLE_ID} u-17 --cost-limit 25`)
    .addCommand(list)
    .addCommand(set)
    .addCommand(remove)
}

/** The limit of a quota, in what it counts. */
export const limitCell = ({ tokenLimit, requestLimit, costLimit }: LimitInput): number | string =>
  tokenLimit ?? requestLimit ?? dollarsInWords(parseDollars(costLimit!)!)

const EXCEPTIONS: View<QuotaException> = {
  none: 'no user has a limit of its own',
  head: ['user', 'limit'],
  row: (exception) => [exception.user, limitCell(exception)],
}

const QUOTAS: View<Quota> = {
  none: 'no additional quotas',
  head: ['tenant', 'feature', 'model', 'counts', 'per', 'limit', 'kind', 'alerts at', 'id'],
  row: (quota) => [
    quota.tenantName,
    quota.feature ?? '(all)',
    quota.model ?? '(all)',
    `${limitOf(quota)!.metric}${quota.per === undefined ? '' : ' of each user'}`,
    quota.period,
    limitCell(quota),
    quota.hard ? 'hard' : 'soft',
    quota.thresholds.map((percent) => `${percent} %`).join(', '),
    quota.id,
  ],
}
