import { Command } from 'commander'
import { inTransaction } from '../lib/store/database.ts'
import type { Database } from '../lib/store/connection.ts'
import { loadSql } from '../lib/store/sql.ts'
import { CommandError, type Terminal } from './_command.ts'
import { withDatabase } from './_database.ts'
import { printJson, printTable } from './_print.ts'

const CHECKS = ['rollups', 'hours', 'features', 'quarters', 'splits', 'periods', 'user_quotas']

/** At most this many differences of each kind are shown: if everything is wrong, they must not fill the memory. */
const SHOWN = 1_000

interface Difference {
  tenant_id: string
  feature?: string
  split?: string
  value?: string
  quota_id?: string
  minute?: Date
  period_start?: Date
  expected_tokens: number
  actual_tokens: number
  expected_events?: number
  actual_events?: number
  expected_reserved?: number
  actual_reserved?: number
  expected_cost_nanos?: number
  actual_cost_nanos?: number
}

/** `flagmeter verify` */
export const verifyCommand = (terminal: Terminal): Command =>
  new Command('verify')
    .description(
      'Recomputes rollups from events, hours and counters from rollups, and holds from reservations. ' +
        'Prints the differences, up to 1,000 of each kind. Exits 1 if there are any.',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Straight to the database: it reads everything, in one snapshot.

Example:
  $ flagmeter verify && echo exact`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const { differences, count } = await withDatabase(terminal, compareBooks)
      if (json) printJson(terminal, differences)
      else if (differences.length > 0) printDifferences(terminal, differences)
      else terminal.out.write('rollups match events, hours and counters match rollups and reservations\n')
      const rest = count > differences.length ? `; the first ${SHOWN} of each kind are shown` : ''
      if (count > 0) throw new CommandError(`${count} differences${rest}`)
    })

/** The differences, up to 1,000 of each kind. */
export const verify = async (database: Database): Promise<(Difference & { check: string })[]> =>
  (await compareBooks(database)).differences

/**
 * Compares in one snapshot, so that events recorded meanwhile are seen everywhere or nowhere. `count` is the total
 * number of differences.
 */
async function compareBooks(
  database: Database,
): Promise<{ differences: (Difference & { check: string })[]; count: number }> {
  return await inTransaction(
    database,
    async (transaction) => {
      await transaction`set local statement_timeout = 0`
      const differences: (Difference & { check: string })[] = []
      let count = 0
      for (const check of CHECKS) {
        const rows = await transaction.unsafe<(Difference & { found: number })[]>(
          `select count(*) over () as found, d.* from (${loadSql(`queries/verify_${check}`)}) as d limit ${SHOWN}`,
        )
        count += rows[0]?.found ?? 0
        for (const { found: _, ...row } of rows) differences.push({ check, ...row })
      }
      return { differences, count }
    },
    'isolation level repeatable read read only',
  )
}

function printDifferences(terminal: Terminal, differences: (Difference & { check: string })[]): void {
  const rows = differences.map((row) => [
    row.check,
    row.tenant_id,
    row.feature ??
      (row.split && `${row.split} ${row.value}`) ??
      (row.quota_id === undefined || row.quota_id === row.tenant_id ? '(all)' : `quota ${row.quota_id}`),
    (row.minute ?? row.period_start)?.toISOString() ?? '',
    row.expected_tokens,
    row.actual_tokens,
    row.expected_events ?? '',
    row.actual_events ?? '',
    row.expected_reserved ?? '',
    row.actual_reserved ?? '',
    row.expected_cost_nanos ?? '',
    row.actual_cost_nanos ?? '',
  ])
  const head = [
    'in',
    'tenant',
    'feature or value',
    'minute or period',
    'tokens expected',
    'tokens found',
    'events expected',
    'events found',
    'reserved expected',
    'reserved found',
    'nano-dollars expected',
    'nano-dollars found',
  ]
  printTable(terminal, head, rows)
}
