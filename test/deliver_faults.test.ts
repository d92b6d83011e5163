import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import { createTenant } from './_tenants.ts'
import { startCli } from './_cli.ts'
import { createContext, createDatabase, startConsumers, until } from './_context.ts'
import { atMost, count, isStress } from './_counts.ts'
import { LOCAL, addWebhook, atRest, createReceiver, cross, deliveries, tenantId } from './_deliveries.ts'
import { AUTHORIZATION } from './_key.ts'
import { createProxy } from './_proxy.ts'
import { freePort } from './_valkey.ts'

test('a receiver that flaps between 500, silence, 429 and 200 gets every id, twice only after silence', async () => {
  const ctx = await createContext({ ...LOCAL, DELIVERY_RETRY_SECONDS: '1,1,1,1,1,1,1,1' })
  const silent = new Set<string>()
  const receiver = await createReceiver((res, index, { headers }) => {
    const kind = index % 5
    if (kind === 0) res.writeHead(500).end()
    else if (kind === 1) {
      silent.add(String(headers['webhook-id'])) // took it and never answers
      if (!isStress) setTimeout(() => res.destroy(), 300) // instead of waiting ten seconds for the time-out
    } else if (kind === 2) res.writeHead(429, { 'retry-after': '2' }).end()
    else res.writeHead(200).end()
  })
  for (let i = 0; i < 5; i++) {
    await addWebhook(ctx, await tenantId(ctx), receiver.url, { kind: 'standard', secret: 'whsec_AAAA' })
  }
  await startConsumers(ctx, ['deliver'])
  for (const threshold of [80, 100]) await cross(ctx, threshold)
  await until(() => atRest(ctx))
  const rows = await deliveries(ctx)
  expect(rows.map(({ status }) => status)).toEqual(rows.map(() => 'delivered'))
  const ids = receiver.received.map(({ headers }) => String(headers['webhook-id']))
  expect(new Set(ids)).toEqual(new Set(rows.map(({ id }) => id)))
  expect(silent.size).toBeGreaterThan(0)
  const accepted = receiver.received
    .filter((_, index) => [1, 3, 4].includes(index % 5))
    .map((m) => m.headers['webhook-id'])
  const repeated = accepted.filter((id, index) => accepted.indexOf(id) !== index).map(String)
  for (const id of repeated) expect(silent).toContain(id)
  // Never earlier than the schedule, or than Retry-After asks.
  for (const { id } of rows) {
    const tries = receiver.received.filter(({ headers }) => headers['webhook-id'] === id)
    for (const [i, { at }] of tries.entries()) {
      const before = tries[i - 1]
      if (!before) continue
      const asked = receiver.received.indexOf(before) % 5 === 2 ? 2_000 : 1_000
      expect(at - before.at).toBeGreaterThanOrEqual(asked - 20)
    }
  }
})

test('slow receivers do not delay others, however many alerts they get', async () => {
  const ctx = await createContext(LOCAL)
  const slow = await createReceiver(() => {}) // never answers
  const fast = await createReceiver()
  const id = await tenantId(ctx)
  for (let i = 0; i < 300; i++) await addWebhook(ctx, id, slow.url)
  await startConsumers(ctx, ['deliver'])
  await cross(ctx)
  await until(() => slow.received.length >= 32)
  await addWebhook(ctx, await tenantId(ctx, 'globex-inc'), fast.url)
  // Queued behind the slow ones it would wait a minute and a half: ten seconds for every 32 of them.
  for (const threshold of [80, 90, 100]) {
    const at = Date.now()
    await cross(ctx, threshold, 'globex-inc')
    await until(() => fast.received.some(({ body }) => body.includes(`${threshold}%`)))
    expect(Date.now() - at).toBeLessThan(atMost(1_000))
  }
})

test("a delivery's outcome survives a short database outage: nothing is sent twice", async () => {
  const databaseUrl = await createDatabase()
  const proxy = await createProxy(databaseUrl)
  const witness = await createContext({ DATABASE_URL: databaseUrl })
  const ctx = await createContext({ ...LOCAL, DATABASE_URL: proxy.url })
  const receiver = await createReceiver((res) => {
    proxy.set('closed')
    setTimeout(() => proxy.set('open'), 800)
    setTimeout(() => res.end(), 50)
  })
  await addWebhook(witness, await tenantId(witness), receiver.url)
  await cross(witness)
  await startConsumers(ctx, ['deliver'])
  await until(() => atRest(witness))
  expect([receiver.received.length, (await deliveries(witness))[0]!.status]).toEqual([1, 'delivered'])
})

const TENANTS = count(20, 100)

test(`eight writers, ${TENANTS} tenants crossing 80 and 100, workers killed: each alert is delivered`, async () => {
  const port = await freePort()
  const ctx = await createContext()
  const receiver = await createReceiver((res) => void setTimeout(() => res.end(), 20))
  const names = Array.from({ length: TENANTS }, (_, i) => `tenant-${i}`)
  for (const name of names) {
    const { id } = await createTenant(ctx.database, { name, monthlyQuota: 10_000 })
    await addWebhook(ctx, id, receiver.url)
  }
  const env = {
    ...LOCAL,
    DATABASE_URL: ctx.databaseUrl,
    VALKEY_URL: inject('valkeyUrl'),
    QUEUE_NAME: ctx.config.queueName,
    PORT: String(port),
    CLAIM_IDLE_MS: '500',
    LOG_LEVEL: 'error',
  }
  startCli(['serve', 'event-ingest'], env)
  const url = `http://127.0.0.1:${port}/api/events`
  await until(async () => (await fetch(url).catch(() => undefined))?.status === 405)

  // 24 events of 500 tokens per tenant, shuffled over the writers; those not accepted are resent with the same ids.
  const events = Array.from({ length: 24 * TENANTS }, (_, i) => ({
    tenant: names[i % TENANTS]!,
    feature: 'x',
    tokens: 500,
    id: `event-${i}`,
  }))
  events.sort(() => Math.random() - 0.5)
  const writers = Array.from({ length: 8 }, async (_, writer) => {
    const mine = events.filter((_event, i) => i % 8 === writer)
    for (let from = 0; from < mine.length; from += 10) {
      const body = JSON.stringify(mine.slice(from, from + 10))
      const send = () =>
        fetch(url, { method: 'POST', headers: { ...AUTHORIZATION, 'content-type': 'application/json' }, body })
      await until(async () => (await send().catch(() => undefined))?.status === 201)
      await sleep(150)
    }
  })
  let writing = true
  const writingDone = Promise.all(writers).then(() => (writing = false))
  let kills = 0
  while (writing) {
    const worker = startCli(['worker'], env)
    await sleep(800 + Math.random() * 500)
    worker.child.kill('SIGKILL')
    kills++
  }
  await writingDone
  startCli(['worker'], env)

  const raised = async () => (await ctx.database`select count(*)::int as n from alerts`)[0]!.n as number
  await until(async () => (await raised()) === 2 * TENANTS && (await atRest(ctx)))
  await sleep(1_000) // anything still in flight must change nothing
  const rows = await deliveries(ctx)
  expect([await raised(), rows.length, rows.every(({ status }) => status === 'delivered')]).toEqual([
    2 * TENANTS,
    2 * TENANTS,
    true,
  ])
  expect(kills).toBeGreaterThan(count(0, 3))
  const texts = receiver.bodies().map(({ text }) => text as string)
  for (const name of names) {
    const mine = texts.filter((text) => text.includes(`'${name}'`))
    const percents = [...new Set(mine.map((text) => Number(/hit (\d+)%/.exec(text)![1])))]
    // In order, even when one was repeated; a batch that crossed both reports the same for both.
    expect([name, percents]).toEqual([name, percents.toSorted((a, b) => a - b)])
    expect(mine.length).toBeGreaterThanOrEqual(2)
    expect(percents[0]).toBeGreaterThanOrEqual(80)
    expect(percents.at(-1)).toBeGreaterThanOrEqual(100)
  }
})

test('a redirect is not followed', async () => {
  const ctx = await createContext(LOCAL)
  const target = await createReceiver()
  const receiver = await createReceiver((res) => void res.writeHead(307, { location: target.url }).end())
  await addWebhook(ctx, await tenantId(ctx), receiver.url)
  await startConsumers(ctx, ['deliver'])
  await cross(ctx)
  await until(async () => (await deliveries(ctx))[0]!.reason === 'answered 307')
  expect(target.received).toHaveLength(0)
})

test('at most 64 KiB of an endless answer are read', async () => {
  const ctx = await createContext(LOCAL)
  let written = 0
  const receiver = await createReceiver((res) => {
    const chunk = Buffer.alloc(16 * 1024)
    const write = () => {
      while (!res.destroyed && res.write(chunk)) written += chunk.length
    }
    res.on('drain', write).on('error', () => {})
    write()
  })
  await addWebhook(ctx, await tenantId(ctx), receiver.url)
  await startConsumers(ctx, ['deliver'])
  await cross(ctx)
  await until(async () => (await deliveries(ctx))[0]!.status === 'delivered', 5_000)
  const after = written
  await sleep(300)
  expect(written).toBe(after)
  expect(written).toBeLessThan(16 * 1024 * 1024) // what the socket buffers hold, not all that could be sent
})

test('a stopping consumer finishes its work in progress', async () => {
  const ctx = await createContext(LOCAL)
  const receiver = await createReceiver((res) => void setTimeout(() => res.end(), 500))
  await addWebhook(ctx, await tenantId(ctx), receiver.url)
  const stop = await startConsumers(ctx, ['deliver'])
  await cross(ctx)
  await until(() => receiver.received.length === 1)
  await stop()
  expect((await deliveries(ctx)).map(({ status, attempts }) => [status, attempts])).toEqual([['delivered', 1]])
})
