import { Command } from 'commander'
import pkg from '../package.json' with { type: 'json' }
import type { Terminal } from './_command.ts'
import { alertCommand } from './alert.ts'
import { auditCommand } from './audit.ts'
import { backupCommand } from './backup.ts'
import { configCommand } from './config.ts'
import { deadLetterCommand } from './dead_letter.ts'
import { deliveryCommand } from './delivery.ts'
import { keyCommand } from './key.ts'
import { loadCommand } from './load.ts'
import { migrateCommand } from './migrate.ts'
import { quotaCommand } from './quota.ts'
import { restoreCommand } from './restore.ts'
import { seedCommand } from './seed.ts'
import { sendCommand } from './send.ts'
import { serveCommand } from './serve.ts'
import { tenantCommand } from './tenant.ts'
import { upCommand } from './up.ts'
import { usageCommand } from './usage.ts'
import { verifyCommand } from './verify.ts'
import { webhookCommand } from './webhook.ts'
import { workerCommand } from './worker.ts'

/** Every command: what `main` runs, and what docs/reference/cli.md is written from. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('flagmeter')
    .description('Meters AI tokens per tenant and feature, exactly once, and holds them against quotas.')
    .version(pkg.version)
    .showHelpAfterError('(--help shows what is known)')
    .configureHelp({ showGlobalOptions: false, subcommandTerm: (command) => command.name() })
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 failed or refused, 2 wrong usage or settings, 3 a server or database is not there.

Example:
  $ flagmeter up                                 # everything in one process, on this machine
  $ flagmeter send acme-corp gpt-4-turbo 1500    # in another terminal
  $ flagmeter usage`,
    )
  const commands = [upCommand, serveCommand, workerCommand, migrateCommand, seedCommand, tenantCommand, sendCommand]
  commands.push(quotaCommand, usageCommand, keyCommand, webhookCommand, alertCommand, deliveryCommand, auditCommand)
  commands.push(loadCommand, verifyCommand, deadLetterCommand, backupCommand, restoreCommand, configCommand)
  for (const command of commands) program.addCommand(command(terminal))
  settle(program, terminal)
  return program
}

/** No command ends the process, nor writes past the terminal. */
function settle(command: Command, terminal: Terminal): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => void terminal.out.write(text),
    writeErr: (text) => void terminal.err.write(text),
  })
  for (const child of command.commands) settle(child, terminal)
}
