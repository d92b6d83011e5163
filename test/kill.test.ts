import { type ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { runCli, startCli } from './_cli.ts'
import { AUTHORIZATION } from './_key.ts'
import { createContext, until } from './_context.ts'
import { count } from './_counts.ts'
import { freePort, startNativeValkey } from './_valkey.ts'

const server = inject('valkeyServer')

/** The test's own server process and Valkey, so that both can be killed. */
async function start() {
  const valkey = await startNativeValkey(server!)
  let current = valkey
  onTestFinished(() => current.release())
  const port = await freePort()
  const ctx = await createContext()
  const env = {
    DATABASE_URL: ctx.databaseUrl,
    VALKEY_URL: valkey.url,
    PORT: String(port),
    CLAIM_IDLE_MS: '500',
    QUEUE_NAME: 'events',
  }
  const serving = startCli(['serve'], { ...env, LOG_LEVEL: 'error' })
  const url = `http://127.0.0.1:${port}/api/events`
  await until(async () => (await fetch(url).catch(() => undefined))?.status === 405)
  return {
    ctx,
    env,
    serving: serving.child,
    url,
    restartValkey: async () => {
      process.kill(current.pid, 'SIGKILL')
      await sleep(300)
      current = await startNativeValkey(server!, { port: valkey.port, dir: valkey.dir })
    },
  }
}

interface Client {
  /** How many events were accepted so far. */
  accepted: () => number
  /** Returns how many were accepted in all. */
  stop: () => Promise<number>
}

/** Sends events with known ids until told to stop; an unknown outcome is retried. */
function client(url: string, name: string): Client {
  let accepted = 0
  let stopped = false
  const done = (async () => {
    for (let batch = 0; !stopped; batch++) {
      const events = Array.from({ length: 20 }, (_, i) => ({
        tenant: 'acme-corp',
        feature: `f${i % 3}`,
        tokens: 1,
        id: `${name}-${batch}-${i}`,
      }))
      for (let ok = false; !ok;) {
        ok = await fetch(url, {
          method: 'POST',
          headers: { ...AUTHORIZATION, 'content-type': 'application/json' },
          body: JSON.stringify(events),
        }).then(
          (answer) => answer.status === 201,
          () => false,
        )
      }
      accepted += events.length
      await sleep(20)
    }
  })()
  return {
    accepted: () => accepted,
    async stop() {
      stopped = true
      await done
      return accepted
    },
  }
}

/** Waits until this many more events of all clients together were accepted. */
async function progress(clients: Client[], more: number): Promise<void> {
  const sum = () => clients.reduce((total, { accepted }) => total + accepted(), 0)
  const before = sum()
  await until(() => sum() >= before + more)
}

describe.skipIf(!server)('nothing is lost or counted twice (needs valkey-server or redis-server on the PATH)', () => {
  test('when workers are killed in mid-work', async () => {
    const { ctx, env, url } = await start()
    const clients = ['a', 'b', 'c'].map((name) => client(url, name))
    for (let round = 0; round < count(3, 12); round++) {
      const worker: ChildProcess = startCli(['worker', 'rollup'], { ...env, LOG_LEVEL: 'error' }).child
      await sleep(900 + Math.random() * 400)
      worker.kill('SIGKILL')
    }
    await progress(clients, 100)
    const accepted = (await Promise.all(clients.map(({ stop }) => stop()))).reduce((sum, n) => sum + n)
    await expectExactly(ctx, env, accepted)
  })

  test('when Valkey is killed and comes back', async () => {
    const { ctx, env, url, restartValkey } = await start()
    startCli(['worker', 'rollup'], { ...env, LOG_LEVEL: 'error' })
    const clients = ['a', 'b', 'c'].map((name) => client(url, name))
    for (let round = 0; round < count(2, 8); round++) {
      await sleep(Math.random() * 500)
      await progress(clients, 100)
      await restartValkey()
    }
    await progress(clients, 1_000)
    const accepted = (await Promise.all(clients.map(({ stop }) => stop()))).reduce((sum, n) => sum + n)
    await expectExactly(ctx, env, accepted)
  })

  test('when the server is killed between a request and its answer', async () => {
    const { ctx, env, url, serving } = await start()
    startCli(['worker', 'rollup'], { ...env, LOG_LEVEL: 'error' })
    const one = client(url, 'a')
    await progress([one], 100)
    serving.kill('SIGKILL')
    await sleep(200)
    const again = startCli(['serve'], { ...env, LOG_LEVEL: 'error' })
    await progress([one], 100)
    const accepted = await one.stop()
    expect(again.child.exitCode).toBe(null)
    await expectExactly(ctx, env, accepted)
  })
})

async function expectExactly(
  ctx: Awaited<ReturnType<typeof createContext>>,
  env: Record<string, string>,
  accepted: number,
): Promise<void> {
  startCli(['worker', 'rollup'], { ...env, LOG_LEVEL: 'error' })
  expect(accepted).toBeGreaterThan(count(0, 100))
  const counted = async () =>
    Number((await ctx.database`select coalesce(sum(total_tokens), 0) as n from usage_periods`)[0]!.n)
  await until(async () => (await counted()) === accepted)
  await sleep(1_000) // anything still in flight must change nothing
  const [rows] = await ctx.database`select count(*)::int as events from events`
  expect([await counted(), rows!.events]).toEqual([accepted, accepted])
  expect((await ctx.database`select 1 from dead_letters`).length).toBe(0)
  expect((await runCli(['verify'], env)).code).toBe(0)
}
