import { setTimeout as sleep } from 'node:timers/promises'
import type { ProblemDocument } from '../lib/problem.ts'
import { CommandError, Exit } from './_command.ts'

const TIMEOUT_MS = 10_000
const TRIES = 3

/** A server and the key for it. */
export interface Server {
  /** Without a trailing slash. */
  url: string
  key?: string
  /** How long the server may take to answer, if not the default. */
  timeoutMs?: number
}

/** A command's request to a server. */
export interface ServerRequest {
  server: Server
  path: string
  /** Default: POST with a body, else GET. */
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Sent as JSON. */
  body?: unknown
  headers?: Record<string, string>
  /** Not safe to send twice, so it is never retried. */
  once?: boolean
}

/** Sends a request, retries temporary failures, and returns the JSON of the answer. @throws CommandError */
export async function ask<T>({ server, path, method, body, headers, once = false }: ServerRequest): Promise<T> {
  const tries = once ? 1 : TRIES
  const timeoutMs = server.timeoutMs ?? TIMEOUT_MS
  // Imported on demand: this module is in the servers' bundle too, where the client would waste 20 MB.
  const { default: undici } = await import('undici')
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await undici.request(server.url + path, {
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers: {
          ...headers,
          ...(server.key && { authorization: `Bearer ${server.key}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      })
      const text = await answer.body.text()
      if (answer.statusCode < 300) return JSON.parse(text) as T
      if (answer.statusCode !== 503 || attempt === tries) throw asCommandError(server, answer.statusCode, text)
    } catch (error) {
      if (error instanceof CommandError) throw error
      if (attempt === tries)
        throw new CommandError(
          `no FlagMeter answers at ${server.url} (${reason(error)}); start one with \`flagmeter up\`, or use --direct`,
          Exit.unavailable,
        )
    }
    await sleep(200 * attempt)
  }
}

/** Every item of a listing, or the first `most`, page by page. `key` names the array in each answer. */
export async function askAll<T>(
  server: Server,
  path: string,
  key: string,
  filter: Record<string, string | undefined> = {},
  most = Infinity,
): Promise<T[]> {
  const items: T[] = []
  const given = Object.entries(filter).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const params = new URLSearchParams([...given, ['limit', String(Math.min(most, 1000))]])
  for (;;) {
    const page = await ask<Record<string, T[]> & { next?: string }>({ server, path: `${path}?${params.toString()}` })
    items.push(...page[key]!)
    if (page.next === undefined || items.length >= most) return items.slice(0, most)
    params.set('after', page.next)
  }
}

/** The command that lists the right ids. */
const LISTINGS: Record<string, string> = {
  quota_not_found: 'flagmeter quota list',
  key_not_found: 'flagmeter key list',
  price_not_found: 'flagmeter price list',
  webhook_not_found: 'flagmeter webhook list',
  delivery_not_found: 'flagmeter delivery list',
}

function asCommandError({ key }: Server, status: number, text: string): CommandError {
  let problem: Partial<ProblemDocument> | undefined
  try {
    problem = JSON.parse(text) as Partial<ProblemDocument>
  } catch {
    // Not ours, perhaps a proxy's page. Its status is enough.
  }
  const isKeyless = status === 401 && key === undefined
  const said = isKeyless ? 'no key' : (problem?.detail ?? problem?.title ?? `the server answered ${status}`)
  const listing = LISTINGS[problem?.code ?? '']
  const hint =
    status === 401
      ? ': set FLAGMETER_KEY; where the database is at hand, `flagmeter key create --direct` makes a key'
      : listing
        ? `; \`${listing}\` shows the ids`
        : ''
  const code = status === 400 ? Exit.usage : status === 503 ? Exit.unavailable : Exit.failed
  return new CommandError(said + hint, code, problem)
}

const reason = (error: unknown): string => (error as { code?: string }).code ?? (error as Error).message
