import { Command, Option } from 'commander'
import { FAIL_MODES } from '../lib/tenants/tenant_cache.ts'
import type { Tenant, TenantSettings } from '../lib/admin/tenants.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { ask, askAll } from './_http.ts'
import { onOff, percents, tokenCount, wholeNumber } from './_options.ts'
import { type View, printItem, printItems, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

const withSettings = (command: Command): Command =>
  command
    .option('--monthly-quota <tokens>', 'tokens per billing period, like 5M (default of a new tenant: 1M)', tokenCount)
    .addOption(
      onOff('--monthly-hard', 'whether to refuse checks and reservations beyond it (default of a new tenant: on)'),
    )
    .option(
      '--billing-day <1-31>',
      'day a period starts; clamped in shorter months (default of a new tenant: 1)',
      wholeNumber,
    )
    .option('--timezone <name>', 'IANA time zone of the billing day (default of a new tenant: UTC)')
    .option(
      '--thresholds <percents>',
      'where alerts are raised, in percent of the quota (default of a new tenant: 80,100)',
      percents,
    )
    .addOption(
      new Option(
        '--fail-mode <mode>',
        'whether to allow checks and reservations while the database is unreachable',
      ).choices(FAIL_MODES),
    )

type Options = Partial<TenantSettings> & ServerOptions

/** `flagmeter tenant list|create|update|delete` */
export function tenantCommand(terminal: Terminal): Command {
  const list = overHttp(new Command('list').description('Lists every tenant.'))
    .addHelpText('after', '\nExample:\n  $ flagmeter tenant list --json')
    .action(async (options: ServerOptions) => {
      const tenants = await withServer(terminal, options, (server) => askAll<Tenant>(server, '/api/tenants', 'tenants'))
      printItems(terminal, options, tenants, TENANTS)
    })
  const create = overHttp(withSettings(new Command('create').description('Creates a tenant.').argument('<name>')))
    .addHelpText(
      'after',
      '\nExample:\n  $ flagmeter tenant create acme-corp --monthly-quota 5M --timezone Europe/Berlin',
    )
    .action(async (name: string, { url, direct, json, ...given }: Options) => {
      const body = { name, ...given }
      const tenant = await withServer(terminal, { url, direct }, (server) =>
        ask<Tenant>({ server, path: '/api/tenants', body, once: true }),
      )
      printItem(terminal, { json }, tenant, TENANTS)
    })
  const update = overHttp(
    withSettings(
      new Command('update')
        .description(
          'Changes a tenant. A new billing day or time zone re-sorts its usage into the new periods; for a large ' +
            'tenant this continues in the background, in `up` or `worker`. A newly crossed threshold raises its ' +
            'alert at once.',
        )
        .argument('<tenant>', 'name or id')
        .option('--name <name>', 'new name'),
    ),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter tenant update acme-corp --billing-day 15')
    .action(async (ref: string, { url, direct, json, ...body }: Options) => {
      if (Object.keys(body).length === 0) throw new CommandError('nothing to change: give an option', Exit.usage)
      const tenant = await withServer(terminal, { url, direct }, (server) =>
        ask<Tenant>({ server, path: pathOf(ref), method: 'PATCH', body }),
      )
      printItem(terminal, { json }, tenant, TENANTS)
    })
  const remove = overHttp(
    new Command('delete')
      .description(
        'Deletes a tenant for good: its settings, quotas, keys and webhooks at once, so that nobody can use it any ' +
          'more; its usage, alerts and events in the background. The audit log stays.',
      )
      .argument('<tenant>', 'name or id')
      .option('--yes', 'confirm: this cannot be undone'),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter tenant delete acme-corp --yes')
    .action(async (ref: string, options: ServerOptions & { yes?: boolean }) => {
      if (!options.yes)
        throw new CommandError(`this deletes '${ref}' with all its data, for good: add --yes`, Exit.usage)
      const tenant = await withServer(terminal, options, (server) =>
        ask<Tenant>({ server, path: pathOf(ref), method: 'DELETE', once: true }),
      )
      if (options.json) printJson(terminal, tenant)
      else terminal.out.write(`deleted ${tenant.name}\n`)
    })
  return new Command('tenant')
    .description('Lists, creates, changes and deletes tenants.')
    .addHelpText('after', '\nExample:\n  $ flagmeter tenant create acme-corp --monthly-quota 5M')
    .addCommand(list)
    .addCommand(create)
    .addCommand(update)
    .addCommand(remove)
}

const pathOf = (ref: string): string => `/api/tenants/${encodeURIComponent(ref)}`

/** The new billing day and time zone of a change in progress. */
const pending = ({ billingDay, timezone, percent }: NonNullable<Tenant['rebuild']>): string =>
  `changing to ${billingDay}, ${timezone}: ${percent} %`

const TENANTS: View<Tenant> = {
  none: 'no tenants: make one with `flagmeter tenant create`',
  head: ['tenant', 'monthly quota', 'kind', 'billing day', 'time zone', 'alerts at', 'fail mode', 'id'],
  row: (tenant) => [
    tenant.name,
    tenant.monthlyQuota,
    tenant.monthlyHard ? 'hard' : 'soft',
    tenant.billingDay,
    tenant.timezone + (tenant.rebuild ? ` (${pending(tenant.rebuild)})` : ''),
    tenant.thresholds.map((percent) => `${percent} %`).join(', '),
    tenant.failMode,
    tenant.id,
  ],
}
