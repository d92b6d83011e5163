import type { Terminal } from './_command.ts'
import { explain, noteUnknownSettings, reportFailure, takeOverErrors } from './_failure.ts'
import { createProgram } from './_program.ts'

/** Runs the command in `args` and returns its exit code; failures are reported on `terminal.err`. */
export async function run(args: string[], terminal: Terminal): Promise<number> {
  const isJson = args.includes('--json')
  const program = createProgram(terminal)
  const running = takeOverErrors(program)
  try {
    if (!isJson) noteUnknownSettings(terminal)
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    const failure = explain(error, running())
    reportFailure(terminal, failure, isJson)
    if (terminal.env.LOG_LEVEL === 'debug' && error instanceof Error) terminal.err.write(`${error.stack}\n`)
    return failure.code
  }
}
