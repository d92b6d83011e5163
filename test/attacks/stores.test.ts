import { setTimeout as sleep } from 'node:timers/promises'
import { v7 as uuidv7 } from 'uuid'
import { describe, expect, inject, test } from 'vitest'
import type { Event } from '../../lib/events/event.ts'
import { until } from '../_context.ts'
import { count, isStress } from '../_counts.ts'
import { AUTHORIZATION, KEY } from '../_key.ts'
import { startPostgres } from '../_postgres_server.ts'
import { type Answer, OWN_MODES, type OwnTarget, startOwnTarget, watchOthers } from './_rig.ts'

/**
 * No answer takes longer, whatever the stores do: a second to look up a key, four for a statement. In `npm test` other
 * tests may take most of the machine: there the limit only catches answers that never come.
 */
const PATIENCE_MS = count(30_000, 6_000)

const post = (id?: string) => ({ tenant: 'acme-corp', feature: 'x', tokens: 1, ...(id !== undefined && { id }) })
const events = async ({ ctx }: OwnTarget) =>
  Number((await ctx.database`select count(*)::int as n from events where feature = 'x'`)[0]!.n)

describe.each(OWN_MODES)('$mode', ({ isSkipped, withValkey }) => {
  test.skipIf(isSkipped)('a batch for a just-deleted tenant keeps nobody waiting', async () => {
    const target = await startOwnTarget({ withValkey, env: { LIMIT_EVENTS: '0' } })
    const { ctx, send } = target
    const made = await send('POST', '/api/tenants', KEY, { name: 'gone-llc' })
    const tenant = made.json.id
    expect((await send('POST', '/api/events', KEY, { ...post(), tenant })).status).toBe(201)
    const expectUnharmed = await watchOthers(target)
    await ctx.database`select delete_tenant(${tenant}::uuid)`
    const batch = Array.from({ length: 500 }, () => ({ ...post(), tenant }))
    const answers = await Promise.all(Array.from({ length: 16 }, () => send('POST', '/api/events', KEY, batch)))
    for (const { ms } of answers) expect(ms).toBeLessThan(count(30_000, 4_000))
    // The tenant stays cached for a second. Events accepted meanwhile become dead letters, the rest are refused.
    const accepted = answers.reduce((sum, { json }) => sum + json.accepted, 0)
    if (withValkey)
      await until(async () => {
        const [row] = await ctx.database`select count(*)::int as n from dead_letters where sqlstate = '23503'`
        return row!.n >= accepted
      })
    else expect(accepted).toBe(0)
    await expectUnharmed()
  })

  test.skipIf(isSkipped)(
    'while PostgreSQL is frozen every answer comes within seconds; once it thaws, everything works again',
    async () => {
      const postgres = await startPostgres()
      const target = await startOwnTarget({ withValkey, databaseUrl: postgres.url, env: { LIMIT_REQUESTS: '0' } })
      const { send } = target
      expect((await send('POST', '/api/events', KEY, post())).status).toBe(201)
      const others = ['/api/usage', '/api/usage/acme-corp', '/api/webhooks', '/api/keys', '/api/tenants/acme-corp']
      const asks: (() => Promise<Answer>)[] = [
        ...others.map((path) => () => send('GET', path, KEY)),
        () => send('POST', '/api/reservations', KEY, post()),
        () => send('PATCH', '/api/tenants/globex-inc', KEY, { monthlyQuota: 4711 }),
        () => send('POST', '/api/tenants', KEY, { name: 'late-llc' }),
        () => send('GET', '/api/usage', `fm_${'0'.repeat(36)}`),
      ]
      await postgres.freeze()
      const accepted: Answer[] = []
      let isAsking = true
      const sending = Array.from({ length: 8 }, async () => {
        for (; isAsking; await sleep(100)) accepted.push(await send('POST', '/api/events', KEY, post(uuidv7())))
      })
      const answers = await Promise.all(asks.map((ask) => ask()))
      await sleep(3_000) // for requests that start after the first have failed
      isAsking = false
      await Promise.all(sending)
      for (const { status, ms } of [...answers, ...accepted]) expect([status, ms < PATIENCE_MS]).toEqual([status, true])
      // 429: reports that waited in the queue
      expect(answers.map(({ status }) => status).filter((status) => ![503, 401, 429].includes(status))).toEqual([])
      const slow = accepted.filter(({ ms }) => ms > 500)
      if (withValkey) {
        expect(accepted.every(({ status }) => status === 201)).toBe(true)
        // A sender waits once, when its key has to be looked up again.
        if (isStress) expect(slow.length).toBeLessThanOrEqual(8)
      } else {
        expect(accepted.every(({ status, headers }) => status === 503 && headers.get('retry-after') === '1')).toBe(true)
        // Most are refused at once because earlier ones have failed.
        if (isStress) expect(slow.length).toBeLessThan(accepted.length / 2)
      }
      await postgres.thaw()
      const at = performance.now()
      await until(async () => (await send('POST', '/api/events', KEY, post())).status === 201)
      await until(async () => (await send('GET', '/api/usage/acme-corp', KEY)).status === 200)
      if (isStress) expect(performance.now() - at).toBeLessThan(5_000)
      for (let i = 0; i < 30; i++)
        expect((await send('PATCH', '/api/tenants/acme-corp', KEY, { monthlyQuota: 1_000_000 + i })).status).toBe(200)
      if (withValkey) await until(async () => (await events(target)) >= accepted.length + 2)
      expect((await send('GET', '/api/tenants/late-llc', KEY)).status).toBe(404)
    },
  )

  test.skipIf(isSkipped)(
    'a server survives connections to PostgreSQL that break while tenants are changed',
    async () => {
      const { send, ctx } = await startOwnTarget({ withValkey, env: { LIMIT_REQUESTS: '0' } })
      const change = (i: number) => send('PATCH', '/api/tenants/acme-corp', KEY, { monthlyQuota: 1_000_000 + i })
      const ended: number[] = []
      for (let round = 0; round < 12; round++) {
        const changing = Array.from({ length: 16 }, (_, i) => change(i))
        await sleep(round)
        for (let kills = 0; kills < 2; kills++) {
          const rows = await ctx.database<{ pid: number }[]>`
            select pid, pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle' limit 1`
          ended.push(...rows.map(({ pid }) => pid))
        }
        for (const { status, ms } of await Promise.all(changing))
          expect([status === 200 || status === 503, ms < PATIENCE_MS]).toEqual([true, true])
      }
      // A connection that is told to end may outlive its statement, and must not break one of these.
      await until(async () => {
        const [left] = await ctx.database<{ count: number }[]>`
          select count(*)::int as count from pg_stat_activity where pid = any (${ended})`
        return left!.count === 0
      })
      // The server hears of it a moment later, on a busy machine even later: then all changes succeed again.
      await until(async () => {
        const after = await Promise.all(Array.from({ length: 16 }, (_, i) => change(i)))
        return after.every(({ status }) => status === 200)
      })
      // Every change is logged under its actor, even if the connection broke.
      const actors = await ctx.database`
        select distinct actor
          from audit_log where action = 'tenant.updated' and created_at > now() - interval '1 minute'`
      expect(actors).toHaveLength(1)
    },
  )
})

test('a request whose client leaves before its turn is not written', async () => {
  const postgres = await startPostgres()
  const target = await startOwnTarget({ databaseUrl: postgres.url })
  expect((await target.send('POST', '/api/events', KEY, post())).status).toBe(201)
  await postgres.freeze()
  const first = target.send('POST', '/api/events', KEY, post())
  await sleep(300)
  const left = Array.from({ length: 20 }, () =>
    fetch(`${target.url}/api/events`, {
      method: 'POST',
      headers: { ...AUTHORIZATION, 'content-type': 'application/json' },
      body: JSON.stringify({ ...post(), feature: 'left' }),
      signal: AbortSignal.timeout(1_000),
    }).catch((error: Error) => error.name),
  )
  expect(new Set(await Promise.all(left))).toEqual(new Set(['TimeoutError']))
  await postgres.thaw()
  await first
  await until(async () => (await target.send('POST', '/api/events', KEY, post())).status === 201)
  expect(await target.ctx.database`select from events where feature = 'left'`).toEqual([])
})

describe.skipIf(inject('valkeyServer') === undefined)(
  'a writer to the stream itself (needs valkey-server or redis-server on the PATH)',
  () => {
    const now = Date.now()
    const stored = async ({ ctx }: OwnTarget, fields: object = {}): Promise<Event> => {
      const tenantId = (await ctx.tenants.find(['acme-corp'])).get('acme-corp')!
      return { tenantId, id: uuidv7(), feature: 'x', tokens: 1, createdAt: now, receivedAt: now, ...fields }
    }

    test('cannot stop a worker with entries that no column can hold', async () => {
      const target = await startOwnTarget({ withValkey: true })
      const { redis, add } = await stream(target)
      const nested = '['.repeat(200_000) + ']'.repeat(200_000)
      const hostile = [
        { createdAt: 1e300 },
        { createdAt: 8.64e15 + 1 },
        { createdAt: -1 },
        { receivedAt: 8.64e15 },
        { createdAt: 0.5 },
        { tokens: 1e300 },
        { tokens: 1.5 },
        { tokens: 2 ** 60 },
        { tenantId: 'acme-corp' },
        { id: '0'.repeat(36) },
        { feature: 'a\0b' },
        { feature: 'x'.repeat(1_000_000) },
      ]
      for (const fields of hostile) await add([await stored(target, fields)])
      await add(`[${nested}]`)
      await add(nested)
      await add(`[${JSON.stringify(await stored(target))},${nested}]`)
      await add([await stored(target)])
      await until(async () => (await redis.xlen('events')) === 0)
      expect(await events(target)).toBe(2)
      const [row] = await target.ctx.database`select count(*)::int as n from dead_letters`
      expect(row!.n).toBeGreaterThanOrEqual(hostile.length)
    })

    test('that triggers an error in our own functions loses only the events concerned, after a few tries', async () => {
      const target = await startOwnTarget({ withValkey: true })
      const { redis, add } = await stream(target)
      await target.ctx.database.unsafe(`
        create function trip() returns trigger language plpgsql as $$ begin
          if new.feature = 'bug' then perform no_such_function(); end if;
          return new;
        end $$;
        create trigger trip before insert on events for each row execute function trip()`)
      const bug = await stored(target, { feature: 'bug' })
      const mates = await Promise.all(Array.from({ length: 50 }, () => stored(target)))
      await add([...mates.slice(0, 30), bug, ...mates.slice(30)])
      await add([await stored(target)])
      await until(async () => (await redis.xlen('events')) === 0)
      expect(await events(target)).toBe(51)
      const letters = await target.ctx.database`select payload, sqlstate from dead_letters`
      expect(letters.map(({ payload, sqlstate }) => [JSON.parse(payload).id, sqlstate])).toEqual([[bug.id, '42883']])
    })
  },
)

/** The stream of a target, opened with Valkey's password. */
async function stream({ env }: OwnTarget) {
  const { Redis } = await import('ioredis')
  const { onTestFinished } = await import('vitest')
  const redis = new Redis(env.VALKEY_URL!)
  onTestFinished(() => redis.disconnect())
  const add = (payload: unknown) =>
    redis.xadd('events', '*', 'events', typeof payload === 'string' ? payload : JSON.stringify(payload))
  return { redis, add }
}
