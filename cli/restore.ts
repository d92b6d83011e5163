import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { Command } from 'commander'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { withOpenDatabase } from './_database.ts'
import { type DatabaseConfig, withBackupDatabase } from './backup/database.ts'
import { readBackup } from './backup/read.ts'
import { verify } from './verify.ts'

/** `flagmeter restore <file>` */
export const restoreCommand = (terminal: Terminal): Command =>
  new Command('restore')
    .description(
      'Fills an empty database from a backup and brings it to this release, in one transaction, then verifies it. ' +
        'Without DATABASE_URL, it fills the embedded database of a new FLAGMETER_DIR.',
    )
    .argument('<file>', 'a file that `flagmeter backup` wrote; - is standard input')
    .addHelpText(
      'after',
      `
Straight to the database: it is filled before any server uses it.

Examples:
  $ DATABASE_URL=postgres://…/empty flagmeter restore flagmeter.dump
  $ FLAGMETER_DIR=restored flagmeter restore flagmeter.dump && FLAGMETER_DIR=restored flagmeter up`,
    )
    .action(async (file: string) => {
      if (file !== '-')
        await access(file).catch((error: Error) => {
          throw new CommandError(`can't read the backup: ${error.message}`, Exit.usage)
        })
      await withBackupDatabase(terminal, (config) => restore(terminal, config, file), true)
    })

async function restore(terminal: Terminal, config: DatabaseConfig, file: string): Promise<void> {
  const from = file === '-' ? process.stdin : createReadStream(file)
  const { rows, leftOut } = await readBackup(config, from, terminal.stop)
  for (const table of leftOut) terminal.err.write(`flagmeter: left out ${table}, which is not a FlagMeter table\n`)
  const differences = await withOpenDatabase(config, verify)
  if (differences.length > 0)
    throw new CommandError('restored as it was backed up, with differences: `flagmeter verify` prints them')
  terminal.out.write(`restored ${rows.toLocaleString('en-US')} rows; rollups, counters and holds match\n`)
}
