import { Command } from 'commander'
import pkg from '../package.json' with { type: 'json' }
import type { Terminal } from './_command.ts'
import { alertCommand } from './alert.ts'
import { auditCommand } from './audit.ts'
import { backupCommand } from './backup.ts'
import { checkCommand } from './check.ts'
import { configCommand } from './config.ts'
import { deadLetterCommand } from './dead_letter.ts'
import { deliveryCommand } from './delivery.ts'
import { keyCommand } from './key.ts'
import { loadCommand } from './load.ts'
import { migrateCommand } from './migrate.ts'
import { priceCommand } from './price.ts'
import { quotaCommand } from './quota.ts'
import { repriceCommand } from './reprice.ts'
import { releaseCommand, reserveCommand, settleCommand } from './reservation.ts'
import { restoreCommand } from './restore.ts'
import { seedCommand } from './seed.ts'
import { sendCommand } from './send.ts'
import { seriesCommand } from './series.ts'
import { serveCommand } from './serve.ts'
import { tenantCommand } from './tenant.ts'
import { upCommand } from './up.ts'
import { usageCommand } from './usage.ts'
import { userCommand } from './user.ts'
import { verifyCommand } from './verify.ts'
import { webhookCommand } from './webhook.ts'
import { workerCommand } from './worker.ts'

const GROUPS = {
  'Run:': [upCommand, serveCommand, workerCommand, migrateCommand, seedCommand],
  'Use:': [sendCommand, checkCommand, reserveCommand, settleCommand, releaseCommand, usageCommand, seriesCommand],
  'Manage:': [
    tenantCommand,
    userCommand,
    quotaCommand,
    priceCommand,
    keyCommand,
    webhookCommand,
    alertCommand,
    deliveryCommand,
    auditCommand,
  ],
  'Operate:': [
    configCommand,
    verifyCommand,
    repriceCommand,
    deadLetterCommand,
    backupCommand,
    restoreCommand,
    loadCommand,
  ],
}

/** Enough of a description to choose a command: its first sentence, up to a colon. */
const firstWords = (command: Command): string => command.description().split(/[.:;](?: |$)/)[0]!

/** All commands: `main` runs them, and docs/reference/cli.md is generated from them. */
export function createProgram(terminal: Terminal): Command {
  const program = new Command('flagmeter')
    .description('Meters AI tokens per tenant, feature, model and user, exactly once, and holds them against quotas.')
    .version(pkg.version)
    .configureHelp({ subcommandTerm: (command) => command.name(), subcommandDescription: firstWords })
    .addHelpText(
      'after',
      `
Most commands go over HTTP, to FLAGMETER_URL or the local \`up\`, with FLAGMETER_KEY or, on this machine, the first
admin key. With --json a command prints one JSON value; if it fails, it prints one line {"error": {"message": …}} to
standard error.

Exit codes: 0 done, 1 failed or refused, 2 wrong usage or settings, 3 a server or database is not reachable.

Example:
  $ flagmeter up                                 # everything in one process, on this machine
  $ flagmeter send acme-corp gpt-4-turbo 1500    # in another terminal
  $ flagmeter usage`,
    )
  for (const [heading, commands] of Object.entries(GROUPS)) {
    program.commandsGroup(heading)
    for (const command of commands) program.addCommand(command(terminal))
  }
  printTo(terminal, program)
  return program
}

/** Output is never wider than the terminal. */
function printTo(terminal: Terminal, command: Command): void {
  command.configureOutput({
    writeOut: (text) => void terminal.out.write(text),
    writeErr: (text) => void terminal.err.write(text),
  })
  for (const child of command.commands) printTo(terminal, child)
}
