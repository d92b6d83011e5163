import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import postgres from 'postgres'
import { inject, onTestFinished } from 'vitest'
import { seed } from '../cli/seed.ts'
import { consume, consumersOf, endpointsOf } from '../cli/_serving.ts'
import { loadHandlers } from '../cli/_handlers.ts'
import { ensureAdminKey } from '../cli/_admin_key.ts'
import { parseConfig } from '../lib/config.ts'
import { type Context, openContext } from '../lib/context.ts'
import { AUTHORIZATION, KEY } from './_key.ts'
import { closeHttpServer, createHttpServer } from '../lib/http/server.ts'

export interface TestAnswer {
  status: number
  body: any
  headers: Headers
}

export interface TestServer {
  ctx: Context
  url: string
  databaseUrl: string
  /** Sends JSON, or a raw body; the answer's JSON. */
  post: (path: string, body: unknown, headers?: Record<string, string>) => Promise<TestAnswer>
  get: (path: string, headers?: Record<string, string>) => Promise<TestAnswer>
  /** Sends any method, with JSON if there is a body. */
  request: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<TestAnswer>
}

/** The test's own database, cloned from the migrated template. Dropped after the test. */
export async function createDatabase(): Promise<string> {
  const templateUrl = inject('templateUrl')
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const admin = postgres(templateUrl.replace(/\/\w+$/, '/postgres'), { max: 1, onnotice: () => {} })
  await admin.unsafe(`create database ${name} template flagmeter strategy file_copy`)
  onTestFinished(async () => {
    await admin.unsafe(`drop database ${name} with (force)`)
    await admin.end()
  })
  return templateUrl.replace(/\/\w+$/, `/${name}`)
}

/** A context on its own database, with the example tenants. */
export async function createContext(
  env: Record<string, string> = {},
  overrides: Partial<Context> = {},
): Promise<Context & { databaseUrl: string }> {
  const databaseUrl = env.DATABASE_URL ?? (await createDatabase())
  const config = parseConfig({
    DATABASE_URL: databaseUrl,
    LOG_LEVEL: 'silent',
    QUEUE_NAME: `events-${randomUUID()}`,
    ...env,
  })
  const { ctx, release } = await openContext(config, { log: pino({ level: config.logLevel }), ...overrides })
  onTestFinished(release)
  await seed(ctx.database)
  await ensureAdminKey(ctx.database, { ...config, adminKey: KEY })
  return { ...ctx, databaseUrl }
}

/** The real server with every endpoint, on its own port. */
export async function createTestServer(
  env: Record<string, string> = {},
  overrides: Partial<Context> = {},
): Promise<TestServer> {
  const ctx = await createContext(env, overrides)
  const server = createHttpServer(
    ctx,
    endpointsOf(await loadHandlers([])).map(({ handler }) => handler),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => closeHttpServer(server, 100))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const read = async (answer: Response) => {
    const isEndless = answer.headers.get('content-type') === 'text/event-stream'
    if (isEndless) await answer.body?.cancel()
    const text = isEndless ? '' : await answer.text()
    const isJson = /json/.test(answer.headers.get('content-type') ?? '')
    return { status: answer.status, body: isJson ? JSON.parse(text) : text, headers: answer.headers }
  }
  return {
    ctx,
    url,
    databaseUrl: ctx.databaseUrl,
    post: async (path, body, headers = {}) =>
      read(
        await fetch(url + path, {
          method: 'POST',
          headers: { ...AUTHORIZATION, 'content-type': 'application/json', ...headers },
          body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
        }),
      ),
    get: async (path, headers = {}) => read(await fetch(url + path, { headers: { ...AUTHORIZATION, ...headers } })),
    request: async (method, path, body, headers = {}) =>
      read(
        await fetch(url + path, {
          method,
          headers: { ...AUTHORIZATION, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        }),
      ),
  }
}

/** Runs the named consumers until the test ends or `stop` is called. */
export async function startConsumers(ctx: Context, names: string[]): Promise<() => Promise<void>> {
  const stop = new AbortController()
  const done = consume(ctx, consumersOf(await loadHandlers(names)), stop.signal)
  const finish = async () => {
    stop.abort()
    await done
  }
  onTestFinished(finish)
  return finish
}

/** Waits until a condition holds. The limit only catches what never happens: a busy machine may be slow. */
export async function until(condition: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${condition.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** The median, because measurements on a shared machine have outliers. */
export const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
