import { CommanderError } from 'commander'
import { ConfigError } from '../lib/config.ts'
import { errorCode, isNotMigrated, isTooSlow, isUnavailable } from '../lib/store/outage.ts'
import { Problem } from '../lib/problem.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { createProgram } from './_program.ts'

/** Runs the command that `args` name to its end. Returns the exit code; what failed has been told on `terminal.err`. */
export async function run(args: string[], terminal: Terminal): Promise<number> {
  try {
    await createProgram(terminal).parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    // Commander has printed its own message; help and version are no failures.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : Exit.usage
    const { message, code } = explain(error)
    for (const line of message.split('\n')) terminal.err.write(`flagmeter: ${line}\n`)
    if (terminal.env.LOG_LEVEL === 'debug' && error instanceof Error) terminal.err.write(`${error.stack}\n`)
    return code
  }
}

/** What a failure looks like to a person, and the exit code it gets. */
function explain(error: unknown): { message: string; code: number } {
  if (error instanceof CommandError) return error
  if (error instanceof Problem) return { message: error.message, code: error.status === 400 ? Exit.usage : Exit.failed }
  if (error instanceof ConfigError) return { message: error.message, code: Exit.usage }
  const { message } = error as Error
  if (isNotMigrated(error) && errorCode(error) !== '3D000') {
    return { message: 'the database is not migrated: run `flagmeter migrate`', code: Exit.unavailable }
  }
  if (isUnavailable(error) || isTooSlow(error) || isNotMigrated(error))
    return { message: `the database does not answer: ${message || errorCode(error)}`, code: Exit.unavailable }
  return { message, code: Exit.failed }
}
