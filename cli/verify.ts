import { Command } from 'commander'
import { type Database, inTransaction } from '../lib/database.ts'
import { loadSql } from '../lib/sql.ts'
import { CommandError, type Terminal, printJson, printTable } from './_command.ts'
import { withDatabase } from './_database.ts'

const CHECKS = {
  rollups: loadSql('queries/verify_rollups'),
  hours: loadSql('queries/verify_hours'),
  features: loadSql('queries/verify_features'),
  periods: loadSql('queries/verify_periods'),
}

interface Difference {
  tenant_id: string
  feature?: string
  quota_id?: string
  minute?: Date
  period_start?: Date
  expected_tokens: number
  actual_tokens: number
  expected_events?: number
  actual_events?: number
  expected_reserved?: number
  actual_reserved?: number
}

/** `flagmeter verify` */
export const verifyCommand = (terminal: Terminal): Command =>
  new Command('verify')
    .description(
      'Recomputes rollups from events, hours and counters from rollups, and holds from reservations. Prints every difference; exit 1 if there is one.',
    )
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter verify && echo exact')
    .action(async ({ json }: { json?: boolean }) => {
      const differences = await withDatabase(terminal, verify)
      if (json) printJson(terminal, differences)
      else if (differences.length > 0) print(terminal, differences)
      else terminal.out.write('rollups match events, hours and counters match rollups and reservations\n')
      if (differences.length > 0) throw new CommandError(`${differences.length} differences`)
    })

/** Compares in one snapshot, so that events recorded meanwhile are in all of it or in none. */
export async function verify(database: Database): Promise<(Difference & { check: string })[]> {
  const found = await inTransaction(
    database,
    async (transaction) => {
      await transaction`set local statement_timeout = 0`
      const results: (Difference & { check: string })[] = []
      for (const [check, sql] of Object.entries(CHECKS)) {
        const rows = await transaction.unsafe<Difference[]>(sql)
        results.push(...rows.map((row) => ({ check, ...row })))
      }
      return results
    },
    'isolation level repeatable read read only',
  )
  return found
}

function print(terminal: Terminal, differences: (Difference & { check: string })[]): void {
  const rows = differences.map((row) => [
    row.check,
    row.tenant_id,
    row.feature ?? (row.quota_id === undefined || row.quota_id === row.tenant_id ? '(all)' : `quota ${row.quota_id}`),
    (row.minute ?? row.period_start)?.toISOString() ?? '',
    row.expected_tokens,
    row.actual_tokens,
    row.expected_events ?? '',
    row.actual_events ?? '',
    row.expected_reserved ?? '',
    row.actual_reserved ?? '',
  ])
  const head = [
    'in',
    'tenant',
    'feature',
    'minute or period',
    'tokens expected',
    'tokens found',
    'events expected',
    'events found',
    'reserved expected',
    'reserved found',
  ]
  printTable(terminal, head, rows)
}
