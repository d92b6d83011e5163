import { Command, Option } from 'commander'
import { PERIODS, QuotaChanges, QuotaSettings } from '../lib/quota/quota.ts'
import { type Quota, createQuota, deleteQuota, listQuotas, updateQuota } from '../lib/admin/quotas.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import type { Database } from '../lib/store/database.ts'
import { CommandError, Exit, type Terminal, onOff, percents, printJson, printTable, wholeNumber } from './_command.ts'
import { withDatabase } from './_database.ts'
import { CLI_ACTOR, check } from './_tenants.ts'

type Options = Partial<QuotaSettings> & { json?: boolean }

const limit = (): Option => new Option('--token-limit <tokens>', 'tokens per period').argParser(wholeNumber)

const withSettings = (command: Command): Command =>
  command
    .addOption(onOff('--hard', 'whether checks and reservations are refused beyond it (default of a new quota: on)'))
    .option('--thresholds <percents>', 'where alerts are raised, in percent (default of a new quota: 80,100)', percents)
    .option('--json', 'print JSON')

/** `flagmeter quota list|create|update|delete` */
export function quotaCommand(terminal: Terminal): Command {
  const show = (quotas: Quota[], json: boolean | undefined, value: unknown = quotas) =>
    json ? printJson(terminal, value) : print(terminal, quotas)
  const list = new Command('list')
    .description(
      'Lists the quotas of a tenant, or of all, beside the monthly ones. `flagmeter usage` shows their counters.',
    )
    .argument('[tenant]', 'name or id')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter quota list acme-corp')
    .action(async (tenant: string | undefined, { json }: Options) => {
      show(await withDatabase(terminal, (database) => all(database, tenant)), json)
    })
  const create = withSettings(
    new Command('create')
      .description('Adds a quota to a tenant. What its open period has counted already counts.')
      .argument('<tenant>', 'name or id')
      .option('--feature <feature>', 'which feature it counts (default: all)')
      .addOption(new Option('--period <period>', 'how often it begins again').choices(PERIODS).makeOptionMandatory())
      .addOption(limit().makeOptionMandatory()),
  )
    .addHelpText(
      'after',
      '\nExample:\n  $ flagmeter quota create acme-corp --feature gpt-4-turbo --period day --token-limit 50000',
    )
    .action(async (tenant: string, { json, ...given }: Options) => {
      const settings = check(QuotaSettings, given)
      const quota = await withDatabase(terminal, (database) => createQuota(database, CLI_ACTOR, tenant, settings))
      show([quota], json, quota)
    })
  const update = withSettings(
    new Command('update')
      .description('Changes a quota. A threshold that the change makes reached raises its alert at once.')
      .argument('<quota>', 'its id')
      .addOption(limit()),
  )
    .addHelpText(
      'after',
      '\nExample:\n  $ flagmeter quota update 2c1f7c3e-6f0d-4a53-8a0e-3b5a7e6d9c21 --token-limit 75000',
    )
    .action(async (id: string, { json, ...given }: Options) => {
      if (Object.keys(given).length === 0) throw new CommandError('nothing to change: give an option', Exit.usage)
      const changes = check(QuotaChanges, given)
      const quota = await withDatabase(terminal, (database) => updateQuota(database, CLI_ACTOR, id, changes))
      show([quota], json, quota)
    })
  const remove = new Command('delete')
    .description('Deletes a quota with its counters. Its alerts stay.')
    .argument('<quota>', 'its id')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter quota delete 2c1f7c3e-6f0d-4a53-8a0e-3b5a7e6d9c21')
    .action(async (id: string, { json }: Options) => {
      const quota = await withDatabase(terminal, (database) => deleteQuota(database, CLI_ACTOR, id))
      if (json) printJson(terminal, quota)
      else terminal.out.write(`deleted ${quota.id}\n`)
    })
  return new Command('quota')
    .description('Lists, creates, changes and deletes the quotas of tenants beside the monthly ones.')
    .addHelpText('after', '\nExample:\n  $ flagmeter quota create acme-corp --period hour --token-limit 20000')
    .addCommand(list)
    .addCommand(create)
    .addCommand(update)
    .addCommand(remove)
}

async function all(database: Database, tenant: string | undefined): Promise<Quota[]> {
  const tenantId = tenant === undefined ? null : (await getTenant(database, tenant)).id
  const found: Quota[] = []
  for (let after = 0, more = true; more;) {
    const { items, positions } = await listQuotas(database, tenantId, after, 1000)
    found.push(...items)
    after = positions.at(-1) ?? 0
    more = items.length === 1000
  }
  return found
}

function print(terminal: Terminal, quotas: Quota[]): void {
  const rows = quotas.map((quota) => [
    quota.tenantName,
    quota.feature ?? '(all)',
    quota.period,
    quota.tokenLimit,
    quota.hard ? 'hard' : 'soft',
    quota.thresholds.map((percent) => `${percent} %`).join(', '),
    quota.id,
  ])
  printTable(terminal, ['tenant', 'feature', 'per', 'limit', 'kind', 'alerts at', 'id'], rows)
}
