import { describe, expect, test } from 'vitest'
import { verify } from '../../cli/verify.ts'
import { until } from '../_context.ts'
import { KEY } from '../_key.ts'
import { atMost } from '../_counts.ts'
import { MODES, type Target, startTarget } from './_rig.ts'

/** A tenant's monthly quota, as its owner reads it: [used, reserved]. */
const monthly = async ({ ctx }: Target, tenant = 'acme-corp') => {
  const [row] = await ctx.database`
    select coalesce(sum(total_tokens), 0)::int as used, coalesce(sum(reserved_tokens), 0)::int as reserved
    from usage_periods u join tenants t on t.id = u.quota_id where t.name = ${tenant}`
  return [row!.used, row!.reserved]
}

describe.each(MODES)('$mode', ({ withValkey }) => {
  test('a hard quota is never overbooked by sending keys again and again, whatever their state', async () => {
    const target = await startTarget(withValkey)
    const { ctx, send } = target
    await send('PATCH', '/api/tenants/acme-corp', KEY, { monthlyQuota: 1_000 })
    const key = await target.keyOf('acme-corp')
    const reserve = async (name: string, fields: object = {}) =>
      send('POST', '/api/reservations', key, { feature: 'x', tokens: 1_000, ...fields }, { 'idempotency-key': name })
    const end = (verb: string, id: string) => send('POST', `/api/reservations/${id}/${verb}`, key, { tokens: 1_000 })

    // Released, and lapsed: the tokens are somebody else's by now.
    for (const finish of [
      async (id: string) => expect((await end('release', id)).status).toBe(200),
      async () => {
        await ctx.database`update reservations set expires_at = now() - interval '1 second' where status = 'held'`
        await until(async () => (await monthly(target))[1] === 0)
      },
    ]) {
      const first = (await reserve('job-1')).json
      await finish(first.id)
      const second = await reserve('job-2')
      expect([second.status, (await reserve('job-1')).status]).toEqual([201, 409])
      const again = await Promise.all(Array.from({ length: 40 }, (_, i) => reserve(`job-${i % 4}`)))
      expect(new Set(again.filter(({ status }) => status === 201).map(({ json }) => json.id))).toEqual(
        new Set([second.json.id]),
      )
      expect(await monthly(target)).toEqual([0, 1_000])
      expect((await end('release', second.json.id)).status).toBe(200)
    }

    // Settled: the same job again settles nothing more, and nothing is left for others.
    const job = (await reserve('job-1')).json
    for (let i = 0; i < 3; i++) expect((await end('settle', (await reserve('job-1')).json.id)).status).toBe(200)
    expect([(await reserve('job-1')).json.id, (await reserve('job-9')).status]).toEqual([job.id, 409])
    await until(async () => String(await monthly(target)) === '1000,0')

    // Every settlement that returns 200 counts, even if the key is reused much later, whatever the ids of events.
    await send('PATCH', '/api/tenants/globex-inc', KEY, { monthlyQuota: 1_000_000 })
    const other = await target.keyOf('globex-inc')
    await send('POST', '/api/events', other, { feature: 'x', tokens: 1, id: 'reservation:job-1' })
    let sum = 1
    for (let tokens = 10; tokens <= 1_000; tokens *= 10) {
      const named = { 'idempotency-key': 'job-1' }
      const made = await send('POST', '/api/reservations', other, { feature: 'x', tokens }, named)
      await send('POST', '/api/events', other, { feature: 'x', tokens: 1, id: `reservation:${made.json.id}` })
      const settled = await send('POST', `/api/reservations/${made.json.id}/settle`, other, { tokens })
      expect(settled.status).toBe(200)
      const stolen = await send('POST', '/api/events', other, { feature: 'x', tokens: 1, id: settled.json.eventId })
      expect(stolen.status).toBe(400)
      sum += tokens + 1
      await ctx.database`delete from reservations where status = 'settled' and tokens = ${tokens}`
    }
    await until(async () => String(await monthly(target, 'globex-inc')) === `${sum},0`)
    const [stats] = await ctx.database`select deadlocks from pg_stat_database where datname = current_database()`
    expect(stats!.deadlocks).toBe(0)
    expect(await verify(ctx.database)).toEqual([])
  })

  test('an event under the id of a different one is refused, or becomes a dead letter', async () => {
    const target = await startTarget(withValkey)
    const { ctx, send } = target
    const key = await target.keyOf('acme-corp')
    const event = { feature: 'x', tokens: 5, id: 'call-1' }
    for (let i = 0; i < 3; i++) expect((await send('POST', '/api/events', key, event)).status).toBe(201)
    const other = await send('POST', '/api/events', key, { ...event, tokens: 6 })
    if (!withValkey) expect([other.status, other.json.code]).toEqual([409, 'idempotency_key_reused'])
    else {
      expect(other.status).toBe(201)
      await until(async () => (await ctx.database`select from dead_letters where sqlstate = '23505'`).length === 1)
    }
    await send('POST', '/api/events', key, { feature: 'x', tokens: 1 }, { 'idempotency-key': 'B:0' })
    const batch = [1, 2].map((tokens) => ({ feature: 'x', tokens }))
    for (let i = 0; i < 2; i++)
      expect((await send('POST', '/api/events', key, batch, { 'idempotency-key': 'B' })).status).toBe(201)
    await until(async () => String(await monthly(target)) === '9,0')
    expect(await verify(ctx.database)).toEqual([])
  })

  test('fifty thousand features of one tenant become a thousand and (other)', async () => {
    const target = await startTarget(withValkey)
    const { ctx, send } = target
    const key = await target.keyOf('acme-corp')
    const reader = await target.keyOf('globex-inc', 'read')
    const name = '模'.repeat(190)
    for (let batch = 0; batch < 5; batch++) {
      const events = Array.from({ length: 10_000 }, (_, i) => ({ feature: `${name}${batch * 10_000 + i}`, tokens: 1 }))
      expect((await send('POST', '/api/events', key, events)).status).toBe(201)
    }
    await until(async () => String(await monthly(target)) === '50000,0')
    const own = await send('GET', '/api/usage/acme-corp', await target.keyOf('acme-corp', 'read'))
    expect(own.json.features[0]).toEqual({ feature: '(other)', totalTokens: 49_000, eventCount: 49_000 })
    const [row] = await ctx.database`select count(*)::int as n from usage_features`
    expect(row!.n).toBe(1_001)
    const { status, ms } = await send('GET', '/api/usage/globex-inc', reader)
    expect([status, ms < atMost(300)]).toEqual([200, true])
  })
})
