import { createReadStream } from 'node:fs'
import { access } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { findSchema } from '../lib/store/database_schema.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { databaseSettings, withDatabase } from './_database.ts'
import { startPgTool } from './_pg_tools.ts'

/** `flagmeter restore <file>` */
export const restoreCommand = (terminal: Terminal): Command =>
  new Command('restore')
    .description(
      'Puts a backup into a database that has no FlagMeter yet, in one transaction. Afterwards run `flagmeter migrate` and `flagmeter verify`.',
    )
    .argument('<file>', 'what `flagmeter backup` wrote; - is standard input')
    .addHelpText('after', '\nExample:\n  $ DATABASE_URL=postgres://…/empty flagmeter restore flagmeter.dump')
    .action(async (file: string) => {
      const { databaseUrl } = databaseSettings(terminal)
      const { installed } = await withDatabase(terminal, findSchema)
      if (installed.length > 0)
        throw new CommandError(
          `the database already has FlagMeter, in the schema ${installed[0]}: restore into another database`,
        )
      if (file !== '-')
        await access(file).catch((error: Error) => {
          throw new CommandError(`can't read the backup: ${error.message}`, Exit.usage)
        })
      const args = ['--no-owner', '--no-privileges', '--single-transaction', '--exit-on-error']
      const { child, done } = startPgTool(terminal, 'pg_restore', databaseUrl, args)
      const from = file === '-' ? process.stdin : createReadStream(file)
      // When it ends early it says why, and stops reading: that is not the news.
      await Promise.all([pipeline(from, child.stdin!).catch(() => {}), done])
      terminal.out.write('restored; now run `flagmeter migrate` and `flagmeter verify`\n')
    })
