import { setTimeout as sleep } from 'node:timers/promises'
import { CommandError, Exit, type Server } from './_command.ts'

const TIMEOUT_MS = 10_000
const TRIES = 3

/** A request of a command to a server. */
export interface ServerRequest {
  server: Server
  path: string
  /** Default: POST with a body, else GET. */
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Sent as JSON. */
  body?: unknown
  /** Not safe to send twice: it is tried a single time. */
  once?: boolean
}

/** Asks a server, tries again what may pass, and returns the JSON of its answer. @throws CommandError in one line */
export async function ask<T>({ server, path, method, body, once = false }: ServerRequest): Promise<T> {
  const tries = once ? 1 : TRIES
  // Loaded when needed: this module is in the bundle of the servers too, where the client would cost 20 MB for nothing.
  const { default: undici } = await import('undici')
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await undici.request(server.url + path, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          ...(server.key && { authorization: `Bearer ${server.key}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
      })
      const text = await answer.body.text()
      if (answer.statusCode < 300) return JSON.parse(text) as T
      if (answer.statusCode !== 503 || attempt === tries) throw refusal(answer.statusCode, text)
    } catch (error) {
      if (error instanceof CommandError) throw error
      if (attempt === tries)
        throw new CommandError(
          `no FlagMeter answers at ${server.url} (${reason(error)}); start one with \`flagmeter up\``,
          Exit.unavailable,
        )
    }
    await sleep(200 * attempt)
  }
}

/** Every item of a listing, page by page: those under `key` of each answer. */
export async function askAll<T>(
  server: Server,
  path: string,
  key: string,
  filter: Record<string, string | undefined> = {},
): Promise<T[]> {
  const items: T[] = []
  const given = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const params = new URLSearchParams([...given, ['limit', '1000']])
  for (;;) {
    const page = await ask<Record<string, T[]> & { next?: string }>({ server, path: `${path}?${params.toString()}` })
    items.push(...page[key]!)
    if (page.next === undefined) return items
    params.set('after', page.next)
  }
}

function refusal(status: number, text: string): CommandError {
  let problem: { title?: string; detail?: string } = {}
  try {
    problem = JSON.parse(text) as typeof problem
  } catch {
    // Not ours: a proxy's page, perhaps. Its status says enough.
  }
  if (status === 401) {
    return new CommandError(
      `${problem.detail ?? problem.title}: set FLAGMETER_KEY, or make a key with \`flagmeter key create\``,
    )
  }
  return new CommandError(
    [problem.title ?? `the server answered ${status}`, problem.detail].filter(Boolean).join(': '),
    status === 503 ? Exit.unavailable : Exit.failed,
  )
}

const reason = (error: unknown): string => (error as { code?: string }).code ?? (error as Error).message
