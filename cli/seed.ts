import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { z } from 'zod'
import type { Database } from '../lib/database.ts'
import { CommandError, Exit, type Terminal, printJson } from './_command.ts'
import { withDatabase } from './_database.ts'
import { seedTenant } from '../lib/tenant_admin.ts'
import { TenantSettings, check } from './_tenants.ts'

/** The tenants of a first start, with the default quota and billing day. */
const EXAMPLES: TenantSettings[] = ['acme-corp', 'globex-inc', 'initech-llc'].map((name) => ({ name }))

/** `flagmeter seed` */
export const seedCommand = (terminal: Terminal): Command =>
  new Command('seed')
    .description(
      'Creates tenants that are missing: three examples, or those of a file, each with a disabled example of a Slack webhook. Leaves existing ones as they are.',
    )
    .option(
      '--file <tenants.json>',
      'a JSON array like [{"name":"acme-corp","monthlyQuota":1000000,"billingDay":1,"timezone":"UTC","thresholds":[80,100]}]',
    )
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter seed --file tenants.json')
    .action(async ({ file, json }: { file?: string; json?: boolean }) => {
      const tenants = file === undefined ? EXAMPLES : await readTenants(file)
      const created = await withDatabase(terminal, (database) => seed(database, tenants))
      if (json)
        printJson(terminal, {
          created,
          existing: tenants.map(({ name }) => name).filter((name) => !created.includes(name)),
        })
      else terminal.out.write(`${created.length} created, ${tenants.length - created.length} there already\n`)
    })

/** Creates the tenants that do not exist and returns their names. Default: the examples. */
export async function seed(database: Database, tenants: TenantSettings[] = EXAMPLES): Promise<string[]> {
  const created: string[] = []
  for (const tenant of tenants)
    if (await seedTenant(database, 'seed', check(TenantSettings, tenant))) created.push(tenant.name)
  return created
}

/** Reads a whole file before anything is created: a mistake in its last line leaves nothing half done. */
async function readTenants(file: string): Promise<TenantSettings[]> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw new CommandError(`${file}: ${(error as Error).message}`, Exit.usage)
  }
  try {
    return check(z.array(TenantSettings, 'the file must hold a JSON array'), value)
  } catch (error) {
    throw new CommandError((error as Error).message.replaceAll(/^/gm, `${file}: `), Exit.usage)
  }
}
