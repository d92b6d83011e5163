import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { createBalancer } from './_balancer.ts'
import { runCli, runCliProcess, startCli } from './_cli.ts'
import { createContext, until } from './_context.ts'
import { countOf } from './_counts.ts'
import { AUTHORIZATION } from './_key.ts'
import { freePort } from './_valkey.ts'

const RESTARTS = countOf('RESTARTS', 3, 200)

test(
  `${RESTARTS} rolling restarts of two servers under load behind a balancer: no request fails, each event counts once`,
  async () => {
    const ctx = await createContext()
    const env = {
      DATABASE_URL: ctx.databaseUrl,
      VALKEY_URL: inject('valkeyUrl'),
      QUEUE_NAME: ctx.config.queueName,
      LOG_LEVEL: 'error',
      DRAIN_DELAY_MS: '1000', // the longest the balancer may take to notice
    }
    const worker = startCli(['worker', 'rollup'], env)
    const start = async (port: number) => ({ port, url: `http://127.0.0.1:${port}`, started: serve(port) })
    const serve = (port: number) => startCli(['serve'], { ...env, PORT: String(port) })
    const servers = [await start(await freePort()), await start(await freePort())]
    const balancer = await createBalancer(servers.map(({ url }) => url))
    await until(() => servers.every(({ url }) => balancer.isUp(url)))

    const failures: string[] = []
    let accepted = 0
    let stopped = false
    const clients = Array.from({ length: 8 }, async () => {
      while (!stopped) {
        const body = JSON.stringify({ tenant: 'acme-corp', feature: 'x', tokens: 1 })
        const headers = { ...AUTHORIZATION, 'content-type': 'application/json' }
        const answer = await fetch(`${balancer.url}/api/events`, { method: 'POST', headers, body })
        const text = await answer.text()
        if (answer.status === 201) accepted++
        else failures.push(`${answer.status} ${text}`)
        await sleep(10)
      }
    })
    const exits: (number | null)[] = []
    for (let round = 0; round < RESTARTS; round++) {
      const server = servers[round % 2]!
      server.started.child.kill('SIGTERM')
      exits.push((await server.started.finished).code)
      server.started = serve(server.port)
      await until(() => balancer.isUp(server.url))
    }
    stopped = true
    await Promise.all(clients)
    console.log(`${RESTARTS} restarts, ${accepted} requests, ${failures.length} failed`)
    expect(failures).toEqual([])
    expect(exits).toEqual(exits.map(() => 0))
    expect(accepted).toBeGreaterThan(RESTARTS * 10)
    worker.child.kill('SIGTERM')
    expect((await worker.finished).code).toBe(0)
    expect((await runCliProcess(['worker', 'rollup', '--once'], env)).code).toBe(0)
    const [usage] = await ctx.database`select total_tokens::int as tokens from usage_periods`
    expect(usage!.tokens).toBe(accepted)
    expect((await runCli(['verify'], env)).code).toBe(0)
  },
  60_000 + RESTARTS * 6_000,
)
