import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { CommandError, Terminal } from '../cli/_command.ts'
import { loadCommand } from '../cli/load.ts'
import { capture } from './_cli.ts'

export interface SentEvent {
  tenant: string
  feature: string
  tokens: number
  id: string
  timestamp?: string
}
export interface Received {
  at: number
  events: SentEvent[]
  authorization: string | undefined
}
type Behaviour = (n: number, response: ServerResponse, request: IncomingMessage) => boolean | Promise<boolean>

/** A server that accepts every event and remembers it, unless `behave` answers request `n` (from 0) itself. */
export async function fakeServer(behave: Behaviour = () => false) {
  const received: Received[] = []
  const server = createServer((request, response) => void serve(request, response))
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request) body += chunk
    if (request.method === 'GET') return void response.end('{}')
    const parsed = JSON.parse(body) as SentEvent | SentEvent[]
    const events = Array.isArray(parsed) ? parsed : [parsed]
    const n = received.push({ at: performance.now(), events, authorization: request.headers.authorization }) - 1
    if (!(await behave(n, response, request))) answer(response, 201, { success: true })
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const events = () => received.flatMap((request) => request.events)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received, events }
}

/** Answers JSON. */
export function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): true {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  return true
}
/** A problem document. */
export const problem = (status: number, code: string) => ({
  type: `urn:flagmeter:problem:${code}`,
  title: code,
  status,
  code,
  detail: `about ${code}`,
})

/** Runs the command. Returns what it printed and the error it ended with. */
export async function load(args: string[], env: Record<string, string> = {}, stop = new AbortController().signal) {
  const { printed, out, err } = capture()
  const terminal: Terminal = { env, out, err, stop }
  const command = loadCommand(terminal)
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
  const error = await command.parseAsync(args, { from: 'user' }).then(
    () => undefined,
    (cause: CommandError) => cause,
  )
  return { ...printed, error }
}

/** The same with `--json`, which must print one document. */
export async function loadJson(args: string[], stop?: AbortSignal) {
  const run = await load([...args, '--json'], {}, stop)
  return { ...run, figures: JSON.parse(run.out) }
}
