import { type Command, CommanderError } from 'commander'
import { ConfigError } from '../lib/config.ts'
import { type FieldError, type ProblemDocument, Problem, problemDocument } from '../lib/problem.ts'
import { errorCode, isNotMigrated, isTooSlow, isUnavailable } from '../lib/store/outage.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { unknownSettings } from './_unknown_settings.ts'

/** What a failure prints, and its exit code. Without a message, everything has been printed already. */
export interface Failure {
  code: number
  message?: string
  problem?: Partial<ProblemDocument> | undefined
}

/**
 * Has commander throw its errors instead of printing them, and name the command whose `--help` helps. Returns a
 * function that returns the running command.
 */
export function takeOverErrors(program: Command): () => Command | undefined {
  let running: Command | undefined
  program.hook('preAction', (_, command) => void (running = command))
  const takeOver = (command: Command) => {
    command.configureOutput({ outputError: () => {} })
    command.exitOverride((error) => {
      throw isHelp(error) ? error : new CommandError(usageMessage(error, pathOf(command)), Exit.usage)
    })
    command.commands.forEach(takeOver)
  }
  takeOver(program)
  return () => running
}

const isHelp = ({ code }: CommanderError): boolean =>
  ['commander.help', 'commander.helpDisplayed', 'commander.version'].includes(code)

const usageMessage = ({ message }: CommanderError, path: string): string =>
  `${message.replace(/^error: /, '').replaceAll('\n', ' ')} (see \`${path} --help\`)`

/** Like `flagmeter tenant create`. */
const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name()

/** Turns the failure of a command into a message for a person. */
export function explain(error: unknown, command: Command | undefined): Failure {
  // The user asked for help or the version, or left out a subcommand.
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? 0 : Exit.usage }
  if (error instanceof CommandError) {
    const { message, code, problem } = error
    const isInput = problem?.code === 'invalid_request' && problem.errors !== undefined
    return { message: isInput ? inputMessage(problem.errors!, command) : message, code, problem }
  }
  if (error instanceof Problem) {
    const code = error.status === 400 ? Exit.usage : Exit.failed
    return { message: error.message, code, problem: problemDocument(error.code, error.extra) }
  }
  if (error instanceof ConfigError) return { message: error.message, code: Exit.usage }
  const { message } = error as Error
  if (isNotMigrated(error) && errorCode(error) !== '3D000') {
    return { message: 'the database is not migrated: run `flagmeter migrate`', code: Exit.unavailable }
  }
  if (isUnavailable(error) || isTooSlow(error) || isNotMigrated(error))
    return { message: `the database does not answer: ${message || errorCode(error)}`, code: Exit.unavailable }
  return { message, code: Exit.failed }
}

/** The server's validation errors, one a line, named after the options and arguments of the command. */
const inputMessage = (errors: FieldError[], command: Command | undefined): string =>
  [...new Set(errors.map(({ field, detail }) => [givenAs(field, command), detail].filter(Boolean).join(' ')))].join(
    '\n',
  )

/** `--monthly-quota` for `monthlyQuota`, `--thresholds` for `thresholds.1`, `<tokens>` for an argument. */
function givenAs(field: string, command: Command | undefined): string {
  const [name = ''] = field.split('.')
  const option = command?.options.find((known) => known.attributeName() === name)
  if (option) return option.long ?? field
  return command?.registeredArguments.some((argument) => argument.name() === name) ? `<${name}>` : field
}

/** Prints why a command failed, on one or more lines; with `--json`, on one line that includes the server's problem. */
export function reportFailure({ err }: Terminal, { message, problem }: Failure, isJson: boolean): void {
  if (message === undefined) return
  if (isJson) err.write(`${JSON.stringify({ error: { message, ...problem } })}\n`)
  else for (const line of message.split('\n')) err.write(`flagmeter: ${line}\n`)
}

/** Warns of variables that look like settings but are not. */
export function noteUnknownSettings({ env, err }: Terminal): void {
  for (const line of unknownSettings(env)) err.write(`flagmeter: ${line}\n`)
}
