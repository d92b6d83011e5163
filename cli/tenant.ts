import { Command, Option } from 'commander'
import { FAIL_MODES } from '../lib/tenants/tenant_cache.ts'
import { CommandError, Exit, type Terminal, onOff, percents, printJson, printTable, wholeNumber } from './_command.ts'
import { withDatabase } from './_database.ts'
import { deleteTenant } from '../lib/admin/tenants.ts'
import { CLI_ACTOR, type Tenant, type TenantSettings, createTenant, listTenants, updateTenant } from './_tenants.ts'

const withSettings = (command: Command): Command =>
  command
    .option('--monthly-quota <tokens>', 'tokens per billing period (default of a new tenant: 1,000,000)', wholeNumber)
    .addOption(
      onOff('--monthly-hard', 'whether checks and reservations are refused beyond it (default of a new tenant: on)'),
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
        'whether checks and reservations are allowed while the database is away',
      ).choices(FAIL_MODES),
    )
    .option('--json', 'print JSON')

type Options = Partial<TenantSettings> & { json?: boolean }

/** `flagmeter tenant list|create|update` */
export function tenantCommand(terminal: Terminal): Command {
  const list = new Command('list')
    .description('Lists every tenant.')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter tenant list --json')
    .action(async ({ json }: Options) => {
      const tenants = await withDatabase(terminal, listTenants)
      if (json) printJson(terminal, tenants)
      else print(terminal, tenants)
    })
  const create = withSettings(new Command('create').description('Creates a tenant.').argument('<name>'))
    .addHelpText(
      'after',
      '\nExample:\n  $ flagmeter tenant create acme-corp --monthly-quota 5000000 --timezone Europe/Berlin',
    )
    .action(async (name: string, { json, ...given }: Options) => {
      const tenant = await withDatabase(terminal, (database) => createTenant(database, { name, ...given }))
      if (json) printJson(terminal, tenant)
      else print(terminal, [tenant])
    })
  const update = withSettings(
    new Command('update').description(
      'Changes a tenant. A new billing day or time zone re-sorts its usage into the new periods, of a large tenant in the background, by `up` or `worker`; a threshold that the change makes reached raises its alert at once.',
    ),
  )
    .argument('<tenant>', 'name or id')
    .option('--name <name>', 'new name')
    .addHelpText('after', '\nExample:\n  $ flagmeter tenant update acme-corp --billing-day 15')
    .action(async (ref: string, { json, ...given }: Options) => {
      if (Object.keys(given).length === 0) throw new CommandError('nothing to change: give an option', Exit.usage)
      const tenant = await withDatabase(terminal, (database) => updateTenant(database, ref, given))
      if (json) printJson(terminal, tenant)
      else print(terminal, [tenant])
    })
  const remove = new Command('delete')
    .description(
      'Deletes a tenant for good: its settings, quotas, keys and webhooks at once, and with them it is gone for everybody; what it has gathered (usage, alerts, events) in the background. The audit log stays.',
    )
    .argument('<tenant>', 'name or id')
    .option('--yes', 'do it: nothing brings it back')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter tenant delete acme-corp --yes')
    .action(async (ref: string, { yes, json }: { yes?: boolean; json?: boolean }) => {
      if (!yes) throw new CommandError(`this deletes '${ref}' with all its data, for good: say --yes`, Exit.usage)
      const tenant = await withDatabase(terminal, (database) => deleteTenant(database, CLI_ACTOR, ref))
      if (json) printJson(terminal, tenant)
      else terminal.out.write(`deleted ${tenant.name}\n`)
    })
  return new Command('tenant')
    .description('Lists, creates, changes and deletes tenants.')
    .addHelpText('after', '\nExample:\n  $ flagmeter tenant create acme-corp --monthly-quota 5000000')
    .addCommand(list)
    .addCommand(create)
    .addCommand(update)
    .addCommand(remove)
}

/** What is on its way: the new billing day and time zone. */
const pending = ({ billingDay, timezone, percent }: NonNullable<Tenant['rebuild']>): string =>
  `changing to ${billingDay}, ${timezone}: ${percent} %`

function print(terminal: Terminal, tenants: Tenant[]): void {
  const rows = tenants.map((tenant) => [
    tenant.name,
    tenant.monthlyQuota,
    tenant.monthlyHard ? 'hard' : 'soft',
    tenant.billingDay,
    tenant.timezone + (tenant.rebuild ? ` (${pending(tenant.rebuild)})` : ''),
    tenant.thresholds.map((percent) => `${percent} %`).join(', '),
    tenant.failMode,
    tenant.id,
  ])
  printTable(
    terminal,
    ['tenant', 'monthly quota', 'kind', 'billing day', 'time zone', 'alerts at', 'fail mode', 'id'],
    rows,
  )
}
