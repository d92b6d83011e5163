import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { expect, inject, onTestFinished } from 'vitest'
import type { Context } from '../../lib/context.ts'
import { startCli } from '../_cli.ts'
import { createContext, createTestServer, median, startConsumers, until } from '../_context.ts'
import { isStress } from '../_counts.ts'
import { AUTHORIZATION, KEY } from '../_key.ts'
import { freePort, startNativeValkey } from '../_valkey.ts'

/** What compose.yml gives the API. */
const MEMORY_MB = 224
/** CPU time that a server may spend on other work while a liveness check waits. */
const WORK_MS = 300
const ANSWER_BYTES = 2_000_000
/** How long others are observed before the attack. */
const QUIET_MS = 1_500

/** A server and its worker. */
export interface Target {
  url: string
  /** Straight to the server's database, with the three example tenants. */
  ctx: Context & { databaseUrl: string }
  /** Their settings. */
  env: Record<string, string>
  /** A customer's key: bound to the tenant, with this scope. */
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

/** A server and a worker in their own processes. */
export interface OwnTarget extends Target {
  pid: number
}

/** Both ways in: straight to PostgreSQL, and through Valkey. */
export const MODES = [
  { mode: 'straight to PostgreSQL', withValkey: false },
  { mode: 'through Valkey', withValkey: true },
]

/** The same for targets in their own processes; the second needs a native server on the PATH. */
export const OWN_MODES = MODES.map(({ mode, withValkey }) => ({
  mode: withValkey ? `${mode} (needs valkey-server or redis-server on the PATH)` : mode,
  withValkey,
  isSkipped: withValkey && inject('valkeyServer') === undefined,
}))

/** Runs server and worker in this process, on the test's own database. */
export async function startTarget(withValkey: boolean, given: Record<string, string> = {}): Promise<Target> {
  const env = { ...(withValkey && { VALKEY_URL: inject('valkeyUrl') }), ...given }
  const { url, ctx } = await createTestServer(env)
  await startConsumers(ctx, ['deliver', 'lapse', 'prune', 'rebuild', ...(withValkey ? ['rollup'] : [])])
  return { url, ctx: { ...ctx, databaseUrl: ctx.config.databaseUrl! }, env, ...clientOf(url) }
}

/** Starts `serve` and `worker` on the test's own database. Killed at the end of the test. */
export async function startOwnTarget({
  withValkey = false,
  databaseUrl,
  env: given = {},
}: { withValkey?: boolean; databaseUrl?: string; env?: Record<string, string> } = {}): Promise<OwnTarget> {
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
  await until(async () => (await fetch(`${url}/api/health/live`).catch(() => undefined))?.ok === true)
  return { url, ctx, pid: child.pid!, env, ...clientOf(url) }
}

function clientOf(url: string): Pick<Target, 'send' | 'keyOf'> {
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

  return { keyOf, send }
}

/**
 * Checks what others get during the attack: the liveness of the process, and another tenant's events. All must be
 * answered as usual. In the stress run, which has the machine to itself, nobody may wait long either.
 */
export async function watchOthers({ url, pid }: OwnTarget, tenant = 'globex-inc'): Promise<() => Promise<void>> {
  const body = JSON.stringify({ tenant, feature: 'other', tokens: 1 })
  const prober = new Worker(new URL('_prober.mjs', import.meta.url), {
    workerData: { url, pid, body, ...AUTHORIZATION },
  })
  onTestFinished(async () => void (await prober.terminate()))
  const tell = async (what: 'begin' | 'stop') => {
    const told = new Promise<any>((resolve) => prober.once('message', resolve))
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    prober.postMessage(what)
    return await told
  }
  await sleep(isStress ? QUIET_MS : 0)
  const quiet = await tell('begin')
  return async function expectUnharmed(): Promise<void> {
    const { statuses, ms, workMs } = await tell('stop')
    // While other tests run, a look-up may use up its second.
    if (!isStress) delete statuses['event 503']
    expect(Object.keys(statuses).toSorted()).toEqual(['event 201', 'live 200'])
    if (!isStress) return
    expect(workMs, 'ms the server worked on other things while /api/health/live waited').toBeLessThan(WORK_MS)
    // The others share the stores with the attacker, and the machine with this test, so some delay is fair.
    expect(median(ms), "another tenant's event, in ms, in the middle").toBeLessThan(10 * median(quiet.ms) + 250)
    expect(await peakMemoryMb(pid), 'peak memory of the server, in MB').toBeLessThan(MEMORY_MB)
  }
}

/** The largest resident set of a process so far (Linux; 0 elsewhere). */
export async function peakMemoryMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}
