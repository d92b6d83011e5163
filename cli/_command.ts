import { type Config, parseConfig } from '../lib/config.ts'
import type { ProblemDocument } from '../lib/problem.ts'

/** Exit codes, for scripts to tell failures apart. */
export const Exit = { failed: 1, usage: 2, unavailable: 3 } as const

/** What went wrong, in words a person can act on; `main` prints it and exits with `code`. */
export class CommandError extends Error {
  readonly code: number
  /** The server's problem document, if a server refused the request. */
  readonly problem: Partial<ProblemDocument> | undefined
  constructor(message: string, code: number = Exit.failed, problem?: Partial<ProblemDocument>) {
    super(message)
    this.code = code
    this.problem = problem
  }
}

/** What every command gets from `main`, the only place that touches the process. */
export interface Terminal {
  env: Record<string, string | undefined>
  out: NodeJS.WriteStream
  err: NodeJS.WriteStream
  /** Aborts at the first SIGINT or SIGTERM; its reason is the signal's name. */
  stop: AbortSignal
}

/** The settings of this run. @throws ConfigError */
export const settings = (terminal: Terminal): Config => parseConfig(terminal.env)
