#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'
import { Exit, type Terminal } from './_command.ts'
import { run } from './_run.ts'

async function main(): Promise<number> {
  // Before the handlers load: keeps the young generation at its 2 MB, where it would grow to 16 to 48. This saves 25 MB
  // for API and worker together, at no rate that the bench can measure.
  setFlagsFromString('--semi-space-growth-factor=1')
  const stop = new AbortController()
  let stoppedAt = Infinity
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // A second signal later on: exit at once. Right after the first it is the same one, since npx passes on what the
      // terminal sends us too.
      if (performance.now() - stoppedAt > 1_000) process.exit(130)
      stoppedAt = Math.min(stoppedAt, performance.now())
      stop.abort(signal)
    })
  }
  // A reader that went away (`| head`) is not a failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : Exit.failed))
  const terminal: Terminal = { env: process.env, out: process.stdout, err: process.stderr, stop: stop.signal }
  return await run(process.argv.slice(2), terminal)
}

// Not process.exit: pending output must still be written. Everything opened has been closed.
process.exitCode = await main()
