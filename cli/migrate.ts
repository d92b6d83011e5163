import { Command } from 'commander'
import type { Database } from '../lib/store/connection.ts'
import { NewerDatabase, migrate, migrationStatus } from '../lib/store/migrate.ts'
import { CommandError, type Terminal, settings } from './_command.ts'
import { withDatabase } from './_database.ts'
import { wholeNumber } from './_options.ts'
import { printJson, printTable } from './_print.ts'
import { offerExamples } from './seed.ts'

/** `flagmeter migrate` */
export const migrateCommand = (terminal: Terminal): Command =>
  new Command('migrate')
    .description(
      'Brings the database to this release: applies missing migrations and re-applies every function. ' +
        'Safe to repeat. Exits 1 if a newer release has migrated the database. ' +
        'With SEED_EXAMPLES=true, a new database gets three example tenants.',
    )
    .option('--status', 'only list the migrations; exit 1 if one is missing or from a newer release')
    .option('--wait <seconds>', 'how long to wait for a database that does not answer yet', wholeNumber, 60)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Straight to the database: a server needs a migrated database to work.

Example:
  $ DATABASE_URL=postgres://… flagmeter migrate`,
    )
    .action(async ({ status, wait, json }: { status?: boolean; wait: number; json?: boolean }) => {
      const { seedExamples } = settings(terminal)
      const work = async (database: Database) => {
        const applied = status ? [] : await migrate(database)
        const seeded = seedExamples && !status ? await offerExamples(database) : []
        const migrations = await migrationStatus(database)
        if (json) printJson(terminal, { applied, seeded, migrations })
        else if (status) {
          const rows = migrations.map(({ name, appliedAt, isUnknown }) => [
            name,
            (appliedAt?.toISOString() ?? 'missing') + (isUnknown ? ' by a newer release' : ''),
          ])
          printTable(terminal, ['migration', 'applied'], rows)
        } else {
          const lines = [
            ...applied.map((name) => `applied ${name}`),
            ...seeded.map((name) => `made the tenant ${name}`),
          ]
          terminal.out.write(`${lines.join('\n') || 'up to date'}\n`)
        }
        const unknown = migrations.filter(({ isUnknown }) => isUnknown).map(({ name }) => name)
        if (unknown.length > 0) throw new NewerDatabase(unknown)
        const missing = migrations.filter(({ appliedAt }) => !appliedAt).length
        if (missing > 0) throw new CommandError(`${missing} missing: run \`flagmeter migrate\``)
      }
      await withDatabase(terminal, work, wait)
    })
