import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { Pool } from 'undici'
import { verify } from '../cli/verify.ts'
import { startCli } from './_cli.ts'
import { createContext, until } from './_context.ts'
import { count } from './_counts.ts'
import { tenantId } from './_deliveries.ts'
import { AUTHORIZATION } from './_key.ts'
import { freePort, startNativeValkey } from './_valkey.ts'

const command = inject('valkeyServer')
const ROUNDS = count(2, 50)
const ASKING = count(300, 1_000)
const FIT = 100
const TOKENS = 7

interface Call {
  status: number
  body: any
}

type Server = Awaited<ReturnType<typeof startServer>>

/** Retries until there is an answer: a broken connection, or a 503 from a stalled database, means unknown. */
async function insist(server: () => Server, path: string, body: object, key = ''): Promise<Call> {
  for (;;) {
    const answer = await server()
      .post(path, body, key ? { 'idempotency-key': key } : {})
      .catch(() => undefined)
    if (answer && answer.status < 500) return answer
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A server in its own process. */
async function startServer(env: Record<string, string>) {
  const port = String(await freePort())
  const { child } = startCli(['serve'], { ...env, PORT: port, LOG_LEVEL: 'error', LIMIT_REQUESTS: '0' })
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 50, bodyTimeout: 20_000, headersTimeout: 20_000 })
  onTestFinished(() => pool.destroy())
  const post = async (path: string, body: object, headers: Record<string, string> = {}): Promise<Call> => {
    const answer = await pool.request({
      method: 'POST',
      path,
      headers: { ...AUTHORIZATION, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    return { status: answer.statusCode, body: await answer.body.json() }
  }
  await until(async () => (await fetch(`http://127.0.0.1:${port}/api/health`).catch(() => undefined))?.status === 200)
  return { child, post }
}

describe(`a hard quota with room for 100, requested by ${ASKING} at once from two processes`, () => {
  async function race(env: Record<string, string>): Promise<void> {
    const ctx = await createContext()
    const shared = { DATABASE_URL: ctx.databaseUrl, QUEUE_NAME: 'events', ...env }
    const servers = [await startServer(shared), await startServer(shared)]
    startCli(['worker'], { ...shared, LOG_LEVEL: 'error' })
    const id = await tenantId(ctx)
    await ctx.database`update tenants set monthly_hard = false where id = ${id}`
    for (let round = 0; round < ROUNDS; round++) {
      const feature = `round-${round}`
      // Room for the 100th, but not for a 101st.
      await servers[0]!.post('/api/quotas', {
        tenant: id,
        feature,
        period: 'day',
        tokenLimit: FIT * TOKENS + TOKENS - 1,
      })
      const asked = await Promise.all(
        Array.from({ length: ASKING }, (_, i) =>
          insist(
            () => servers[i % 2]!,
            '/api/reservations',
            { tenant: id, feature, tokens: TOKENS },
            `${feature}-${i}`,
          ),
        ),
      )
      const granted = asked.filter(({ status }) => status === 201)
      const refused = asked.filter(({ status, body }) => status === 409 && body.code === 'quota_exceeded')
      expect([round, granted.length, refused.length]).toEqual([round, FIT, ASKING - FIT])
      // Half are settled, half released, on either server; only the settled half stays counted.
      const outcomes = granted.map(({ body }, i) => {
        const verb = i % 2 ? 'release' : 'settle'
        return insist(() => servers[(i + round) % 2]!, `/api/reservations/${body.id}/${verb}`, { tokens: TOKENS })
      })
      for (const { status } of await Promise.all(outcomes)) expect(status).toBe(200)
    }
    const [stats] = await ctx.database`select deadlocks from pg_stat_database where datname = current_database()`
    expect(stats!.deadlocks).toBe(0)
    const totals = async () =>
      (
        await ctx.database`
          select total_tokens, reserved_tokens from usage_periods where quota_id <> tenant_id`
      ).filter((row) => row.total_tokens !== (FIT / 2) * TOKENS || row.reserved_tokens !== 0).length
    await until(async () => (await totals()) === 0)
    expect(await verify(ctx.database)).toEqual([])
  }

  test(`is given to exactly 100, ${ROUNDS} times of ${ROUNDS}, straight to PostgreSQL`, () => race({}), 300_000)

  test.skipIf(!command)(
    `is given to exactly 100, ${ROUNDS} times of ${ROUNDS}, with Valkey ` +
      '(needs valkey-server or redis-server on the PATH)',
    async () => {
      const valkey = await startNativeValkey(command!)
      onTestFinished(() => valkey.release())
      await race({ VALKEY_URL: valkey.url })
    },
    300_000,
  )
})

test('servers and workers killed while reserving, settling and lapsing leave no hold and no double count', async () => {
  const ctx = await createContext()
  const shared = { DATABASE_URL: ctx.databaseUrl }
  const id = await tenantId(ctx)
  const LIMIT = 3_000
  await ctx.database`update tenants set monthly_quota = ${LIMIT} where id = ${id}`
  let server = await startServer(shared)
  let worker = startCli(['worker'], { ...shared, LOG_LEVEL: 'error' }).child
  let running = true
  let settled = 0
  let over = 0
  const users = Array.from({ length: 24 }, async (_, user) => {
    for (let call = 0; running; call++) {
      const made = await insist(
        () => server,
        '/api/reservations',
        { tenant: id, feature: 'x', tokens: 10, ttlSeconds: call % 3 === 0 ? 1 : 60 },
        `${user}-${call}`,
      )
      if (made.status !== 201) {
        await new Promise((resolve) => setTimeout(resolve, 50))
        continue
      }
      if (call % 3 === 0) continue // forgotten: it lapses
      if (call % 3 === 1) await insist(() => server, `/api/reservations/${made.body.id}/release`, {})
      else {
        expect((await insist(() => server, `/api/reservations/${made.body.id}/settle`, { tokens: 3 })).status).toBe(200)
        settled++
      }
      const [row] =
        await ctx.database`select total_tokens + reserved_tokens as sum from usage_periods where quota_id = ${id}`
      if (row!.sum > LIMIT) over++
    }
  })
  for (let round = 0; round < count(4, 8); round++) {
    await new Promise((resolve) => setTimeout(resolve, 400 + Math.random() * 500))
    if (round % 2) {
      worker.kill('SIGKILL')
      worker = startCli(['worker'], { ...shared, LOG_LEVEL: 'error' }).child
    } else {
      server.child.kill('SIGKILL')
      server = await startServer(shared)
    }
  }
  await until(() => settled > 10)
  running = false
  await Promise.all(users)
  const counter = async () =>
    (
      await ctx.database`select total_tokens, reserved_tokens, event_count from usage_periods where quota_id = ${id}`
    )[0]!
  await until(async () => (await counter()).reserved_tokens === 0)
  expect(await counter()).toMatchObject({ total_tokens: settled * 3, event_count: settled, reserved_tokens: 0 })
  expect(over).toBe(0)
  const [stats] = await ctx.database`select deadlocks from pg_stat_database where datname = current_database()`
  expect(stats!.deadlocks).toBe(0)
  expect(await verify(ctx.database)).toEqual([])
})
