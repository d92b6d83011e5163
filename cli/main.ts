#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'
import { Exit, type Terminal } from './_command.ts'
import { type Failure, explain, noteUnknownSettings, reportFailure, takeOverErrors } from './_failure.ts'
import { createProgram } from './_program.ts'

async function main(): Promise<number> {
  // Before the handlers load: the young generation stays at the 2 MB it has, where it would take 16 to 48. That is 25 MB less for
  // API and worker together, and no rate lost that the bench can see.
  setFlagsFromString('--semi-space-growth-factor=1')
  const stop = new AbortController()
  let stoppedAt = Infinity
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // A second one later on: at once. Together with the first it is an echo: npx passes on what the terminal sent us as well.
      if (performance.now() - stoppedAt > 1_000) process.exit(130)
      stoppedAt = Math.min(stoppedAt, performance.now())
      stop.abort(signal)
    })
  }
  // A reader that went away (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : Exit.failed))
  const terminal: Terminal = { env: process.env, out: process.stdout, err: process.stderr, stop: stop.signal }
  const isJson = process.argv.includes('--json')
  const program = createProgram(terminal)
  const running = takeOverErrors(program)
  try {
    if (!isJson) noteUnknownSettings(terminal)
    await program.parseAsync(process.argv)
    return 0
  } catch (error) {
    const failure: Failure = explain(error, running())
    reportFailure(terminal, failure, isJson)
    if (process.env.LOG_LEVEL === 'debug' && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    return failure.code
  }
}

// Not process.exit: what is still being written must get out. Everything opened has been closed.
process.exitCode = await main()
