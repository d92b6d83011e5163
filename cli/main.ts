#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'
import { Exit, type Terminal } from './_command.ts'
import { run } from './_run.ts'

async function main(): Promise<number> {
  // Before the handlers load: the young generation stays at the 2 MB it has, where it would take 16 to 48. That is 25
  // MB less for API and worker together, and no rate lost that the bench can see.
  setFlagsFromString('--semi-space-growth-factor=1')
  const stop = new AbortController()
  let stoppedAt = Infinity
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // A second one later on: at once. Together with the first it is the same one: npx passes on what the terminal
      // sent us as well.
      if (performance.now() - stoppedAt > 1_000) process.exit(130)
      stoppedAt = Math.min(stoppedAt, performance.now())
      stop.abort(signal)
    })
  }
  // A reader that went away (`| head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : Exit.failed))
  const terminal: Terminal = { env: process.env, out: process.stdout, err: process.stderr, stop: stop.signal }
  return await run(process.argv.slice(2), terminal)
}

// Not process.exit: what is still being written must get out. Everything opened has been closed.
process.exitCode = await main()
