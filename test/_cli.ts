import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import type { Terminal } from '../cli/_command.ts'
import { run } from '../cli/_run.ts'
import { KEY } from './_key.ts'

const root = join(import.meta.dirname, '..')
/** The bundles of this run, built by the global setup: the tests run what ships. */
export const BUNDLES = join(root, 'node_modules/.cache/flagmeter')

const KEYS = { FLAGMETER_KEY: KEY, FLAGMETER_ADMIN_KEY: KEY }

export interface Finished {
  code: number | null
  out: string
  err: string
}

export interface Started {
  child: ChildProcess
  finished: Promise<Finished>
  output: () => string
}

/** A separate `flagmeter` process with only the given settings. Killed at the end of the test. */
export function startCli(args: string[], env: Record<string, string> = {}): Started {
  const started = spawnCli(args, env)
  onTestFinished(() => void started.child.kill('SIGKILL'))
  return started
}

/** Streams for a terminal, and what has been printed to them. */
export function capture() {
  const printed = { out: '', err: '' }
  const stream = (name: 'out' | 'err') =>
    new Writable({
      write(chunk, _, done) {
        printed[name] += chunk
        done()
      },
    }) as unknown as NodeJS.WriteStream
  return { printed, out: stream('out'), err: stream('err') }
}

/** Runs a command to its end in this process: starting a new process takes longer than most commands. */
export async function runCli(args: string[], env: Record<string, string> = {}): Promise<Finished> {
  const { printed, out, err } = capture()
  const terminal: Terminal = {
    env: environment(env),
    out,
    err,
    stop: new AbortController().signal,
  }
  const code = await run(args, terminal)
  return { code, ...printed }
}

/** The same in a separate process. */
export const runCliProcess = (args: string[], env: Record<string, string> = {}): Promise<Finished> =>
  spawnCli(args, env, 60_000).finished

/** Only the given settings. */
const environment = (env: Record<string, string>) => ({
  PATH: process.env.PATH,
  HOME: process.env.HOME,
  FLAGMETER_DIR: '/nonexistent',
  ...KEYS,
  ...env,
})

function spawnCli(args: string[], env: Record<string, string>, timeout?: number): Started {
  const child = spawn(process.execPath, [join(BUNDLES, 'cli/main.js'), ...args], {
    cwd: root,
    env: environment(env),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(timeout && { timeout }),
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (data: Buffer) => (out += data.toString()))
  child.stderr.on('data', (data: Buffer) => (err += data.toString()))
  const finished = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
  return { child, finished, output: () => out + err }
}
