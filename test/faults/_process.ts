import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'

/** The bundles as they ship. */
export const DIST = join(import.meta.dirname, '../../dist')

/** A process of the product. */
export interface Process {
  pid: number
  /** How it exited. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  /** Whether a signal was sent to end it. */
  killed: boolean
  /** Whether it has exited. */
  gone: boolean
  /** Sends a signal at once; SIGKILL and SIGTERM end it. */
  signal(name: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): void
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>
}

/** Starts `flagmeter` from these bundles with only these settings; its output is appended to a file. */
export function startProcess(bundles: string, args: string[], env: Record<string, string>, logFile: string): Process {
  const log = openSync(logFile, 'a')
  const child = spawn(process.execPath, [join(bundles, 'cli/main.js'), ...args], {
    env: { PATH: process.env.PATH, FLAGMETER_DIR: '/nonexistent', ...env },
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const ended = new Promise<Awaited<Process['ended']>>((resolve) => {
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      started.gone = true
      resolve({ code, signal })
    }
    child.once('exit', end)
    child.once('error', () => end(null, null))
  })
  const started: Process = {
    pid: child.pid!,
    ended,
    killed: false,
    gone: false,
    signal(name) {
      if (name === 'SIGKILL' || name === 'SIGTERM') started.killed = true
      child.kill(name)
    },
    async kill() {
      started.signal('SIGKILL')
      await ended
    },
  }
  return started
}
