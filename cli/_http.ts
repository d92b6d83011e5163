import { setTimeout as sleep } from 'node:timers/promises'
import { CommandError, Exit } from './_command.ts'

const TIMEOUT_MS = 10_000
const TRIES = 3

/** A request of a command to a server. */
export interface ServerRequest {
  /** Without the path, see `serverUrl`. */
  server: string
  path: string
  /** Sent as JSON with POST; without it, a GET. It must be safe to send twice. */
  body?: unknown
}

/** Asks a server, tries again what may pass, and returns the JSON of its answer. @throws CommandError in one line */
export async function ask<T>({ server, path, body }: ServerRequest): Promise<T> {
  // Loaded when needed: this module is in the bundle of the servers too, where the client would cost 20 MB for nothing.
  const { default: undici } = await import('undici')
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await undici.request(server + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
      })
      const text = await answer.body.text()
      if (answer.statusCode < 300) return JSON.parse(text) as T
      if (answer.statusCode !== 503 || attempt === TRIES) throw refusal(answer.statusCode, text)
    } catch (error) {
      if (error instanceof CommandError) throw error
      if (attempt === TRIES)
        throw new CommandError(
          `no FlagMeter answers at ${server} (${reason(error)}); start one with \`flagmeter up\``,
          Exit.unavailable,
        )
    }
    await sleep(200 * attempt)
  }
}

function refusal(status: number, text: string): CommandError {
  let problem: { title?: string; detail?: string } = {}
  try {
    problem = JSON.parse(text) as typeof problem
  } catch {
    // Not ours: a proxy's page, perhaps. Its status says enough.
  }
  return new CommandError(
    [problem.title ?? `the server answered ${status}`, problem.detail].filter(Boolean).join(': '),
    status === 503 ? Exit.unavailable : Exit.failed,
  )
}

const reason = (error: unknown): string => (error as { code?: string }).code ?? (error as Error).message
