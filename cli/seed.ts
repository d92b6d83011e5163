import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { z } from 'zod'
import { query } from '../lib/store/database.ts'
import type { Database } from '../lib/store/connection.ts'
import { loadSql } from '../lib/store/sql.ts'
import { TenantSeed, seedTenant } from '../lib/admin/tenants.ts'
import { fieldErrors } from '../lib/schema.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { withDatabase } from './_database.ts'
import { printJson } from './_print.ts'

/** The tenants of a new database, with the default quota and billing day. */
const EXAMPLES: TenantSeed[] = ['acme-corp', 'globex-inc', 'initech-llc'].map((name) => ({ name }))

/** `flagmeter seed` */
export const seedCommand = (terminal: Terminal): Command =>
  new Command('seed')
    .description(
      'Creates missing tenants: three examples, or those in a file with their quotas, each with a disabled ' +
        'example of a Slack webhook. Leaves existing tenants as they are.',
    )
    .option(
      '--file <tenants.json>',
      'a JSON array like [{"name":"acme-corp","monthlyQuota":1000000,"billingDay":1,"timezone":"UTC",' +
        '"quotas":[{"feature":"gpt-4-turbo","period":"day","tokenLimit":50000}]}]',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Straight to the database: it prepares one before any server runs. Each tenant, with all that belongs to it, is created
in one transaction.

Example:
  $ flagmeter seed --file tenants.json`,
    )
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

/** Creates missing tenants and returns their names. Default: the examples. */
export async function seed(database: Database, tenants: TenantSeed[] = EXAMPLES): Promise<string[]> {
  const created: string[] = []
  for (const tenant of tenants) if (await seedTenant(database, 'seed', tenant)) created.push(tenant.name)
  return created
}

/**
 * Creates the examples in a database that nobody has used yet, so deleted ones do not come back. Returns their names.
 */
export async function offerExamples(database: Database): Promise<string[]> {
  const [row] = await query<{ is_new: boolean }>(database, loadSql('queries/tenant_offer'), [
    EXAMPLES.map(({ name }) => name),
  ])
  return row?.is_new ? await seed(database) : []
}

/** Reads the whole file before creating anything: a mistake in its last line leaves nothing half done. */
async function readTenants(file: string): Promise<TenantSeed[]> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw new CommandError(`${file}: ${(error as Error).message}`, Exit.usage)
  }
  const parsed = z.array(TenantSeed, 'the file must hold a JSON array').safeParse(value)
  if (parsed.success) return parsed.data
  const mistakes = fieldErrors(parsed.error).map(({ field, detail }) => `${file}: ${field} ${detail}`)
  throw new CommandError(mistakes.join('\n'), Exit.usage)
}
