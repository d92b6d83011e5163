import { readFile } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { expect, inject, onTestFinished } from 'vitest'
import type { Context } from '../../lib/context.ts'
import { startCli } from '../_cli.ts'
import { createContext, until } from '../_context.ts'
import { AUTHORIZATION, KEY } from '../_key.ts'
import { freePort, startNativeValkey } from '../_valkey.ts'

/** What compose.yml gives the API. */
const MEMORY_MB = 224
const LIVE_MS = 300
const EVENT_MS = 500
const ANSWER_BYTES = 2_000_000

/** Tried again when it fails: a shared machine has moments in which everything is slow, and they are no attacker's doing. */
export const ON_A_SHARED_MACHINE = { retry: 2 }

/** A real server, and a worker with it, in processes of their own. */
export interface Target {
  url: string
  /** Straight to the database of the server, with the three example tenants. */
  ctx: Context & { databaseUrl: string }
  pid: number
  /** What the processes were given. */
  env: Record<string, string>
  /** A key as a customer has one: bound to the tenant, with this scope. */
  keyOf(tenant: string, scope?: string): Promise<string>
  /** Sends a request with a key; the answer's body as text. Every answer must stay below 2 MB. */
  send(method: string, path: string, key: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

export interface Answer {
  status: number
  text: string
  json: any
  headers: Headers
  ms: number
}

/** Both ways in: straight to PostgreSQL, and through Valkey where a native server is on the PATH. */
export const MODES = [
  { mode: 'straight to PostgreSQL', isSkipped: false, withValkey: false },
  {
    mode: 'through Valkey (needs valkey-server or redis-server on the PATH)',
    isSkipped: inject('valkeyServer') === undefined,
    withValkey: true,
  },
]

/** Starts `serve` and `worker` on a database of the test's own. Killed at the end of the test. */
export async function startTarget({
  withValkey = false,
  databaseUrl,
  env: given = {},
}: { withValkey?: boolean; databaseUrl?: string; env?: Record<string, string> } = {}): Promise<Target> {
  const ctx = await createContext(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl })
  const valkey = withValkey ? await startNativeValkey(inject('valkeyServer')!) : undefined
  if (valkey) onTestFinished(() => valkey.release())
  const port = String(await freePort())
  const env = {
    DATABASE_URL: ctx.databaseUrl,
    LOG_LEVEL: 'error',
    ...(valkey && { VALKEY_URL: valkey.url }),
    ...given,
  }
  const { child } = startCli(['serve'], { ...env, PORT: port })
  startCli(['worker'], env)
  const url = `http://127.0.0.1:${port}`
  await until(async () => (await fetch(`${url}/api/health/live`).catch(() => undefined))?.ok === true, 30_000)

  async function send(
    method: string,
    path: string,
    key: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const at = performance.now()
    const raw = typeof body === 'string' || body instanceof Uint8Array
    const answer = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: raw ? (body as string) : JSON.stringify(body) }),
    })
    const text = await answer.text()
    expect(Buffer.byteLength(text)).toBeLessThan(ANSWER_BYTES)
    const isJson = /json/.test(answer.headers.get('content-type') ?? '')
    return {
      status: answer.status,
      text,
      json: isJson && text !== '' ? JSON.parse(text) : undefined,
      headers: answer.headers,
      ms: performance.now() - at,
    }
  }

  async function keyOf(tenant: string, scope = 'ingest'): Promise<string> {
    const made = await send('POST', '/api/keys', KEY, { name: `${tenant}-${scope}`, scopes: [scope], tenant })
    expect(made.status).toBe(201)
    return made.json.key
  }

  return { url, ctx, pid: child.pid!, env, keyOf, send }
}

/** Looks at what everybody else gets while the attack goes on: the liveness of the process, and another tenant's events. */
export async function watchOthers({ url, pid }: Target, tenant = 'globex-inc'): Promise<() => Promise<void>> {
  const body = JSON.stringify({ tenant, feature: 'other', tokens: 1 })
  const prober = new Worker(new URL('_prober.mjs', import.meta.url), {
    workerData: { url, body, ...AUTHORIZATION },
  })
  onTestFinished(async () => void (await prober.terminate()))
  await new Promise((resolve) => setTimeout(resolve, 500)) // what they get before anything happens is part of it
  return async function expectUnharmed(): Promise<void> {
    const told = new Promise<any>((resolve) => prober.once('message', resolve))
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    prober.postMessage('stop')
    const { live, event, statuses } = await told
    const peakMb = await peakMemoryMb(pid)
    expect(Object.keys(statuses).toSorted()).toEqual(['event 201', 'live 200'])
    expect(live, 'slowest answer of /api/health/live, in ms').toBeLessThan(LIVE_MS)
    expect(event, "another tenant's slowest event, in ms").toBeLessThan(EVENT_MS)
    expect(peakMb, 'peak memory of the server, in MB').toBeLessThan(MEMORY_MB)
  }
}

/** The largest resident set of a process so far (Linux; 0 elsewhere). */
export async function peakMemoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}
