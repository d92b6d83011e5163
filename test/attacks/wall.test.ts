import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { readReservationId } from '../../lib/quota/reservation.ts'
import { until } from '../_context.ts'
import { KEY } from '../_key.ts'
import { type Answer, MODES, type Target, startTarget } from './_rig.ts'

/** Names and keys' scopes are cached for 0.9 seconds at most; the rest is the time of a look-up. */
const WINDOW_MS = 1_100

const event = (tenant: string) => ({ tenant, feature: 'x', tokens: 1 })

/** Creates a tenant. Returns its id. */
async function make({ send }: Target, name: string): Promise<string> {
  const { status, json } = await send('POST', '/api/tenants', KEY, { name, monthlyQuota: 1_000_000_000 })
  expect(status).toBe(201)
  return json.id
}

async function rename({ send }: Target, id: string, name: string): Promise<void> {
  expect((await send('PATCH', `/api/tenants/${id}`, KEY, { name })).status).toBe(200)
}

const counted = async ({ send }: Target, id: string): Promise<number> =>
  (await send('GET', `/api/usage/${id}`, KEY)).json.eventCount

const deadLetters = async ({ ctx }: Target): Promise<number> =>
  (await ctx.database`select count(*)::int as count from dead_letters`)[0]!.count

/** The id of the tenant that a request reached, or the status of a refusal. */
type Asked = Promise<string | number>

/** Everything that a bound key can do with a tenant's name. The events it sends are counted in `sent`. */
function everyWay({ send }: Target, key: string, name: string, sent: { events: number }): Record<string, () => Asked> {
  const ask = async (call: Promise<Answer>, whose: (json: any) => string): Asked => {
    const { status, json } = await call
    return status < 300 && status !== 207 ? whose(json) : status
  }
  const count = async (answer: Promise<Answer>, events: number): Asked => {
    const { status } = await answer
    if (status === 201) sent.events += events
    return status === 207 ? 403 : status
  }
  const lines = [event(name), event(name)].map((line) => JSON.stringify(line)).join('\n')
  const ndjson = { 'content-type': 'application/x-ndjson' }
  return {
    single: () => count(send('POST', '/api/events', key, event(name)), 1),
    batch: () => count(send('POST', '/api/events', key, [event(name), event(name)]), 2),
    lines: () => count(send('POST', '/api/events', key, lines, ndjson), 2),
    check: () => ask(send('POST', '/api/check', key, event(name)), ({ quota }) => quota.id),
    usage: () => ask(send('GET', `/api/usage/${name}`, key), ({ tenant }) => tenant),
    series: () => ask(send('GET', `/api/usage/${name}/series`, key), ({ tenant }) => tenant),
    trends: () => ask(send('GET', `/api/trends?tenants=${name}`, key), ({ trends }) => trends[0]?.tenant ?? 403),
    tenant: () => ask(send('GET', `/api/tenants/${name}`, key), ({ id }) => id),
    alerts: () => ask(send('GET', `/api/alerts?tenant=${name}`, key), ({ alerts }) => alerts[0]?.tenant ?? 403),
    webhooks: () => ask(send('GET', `/api/webhooks?tenant=${name}`, key), ({ webhooks }) => webhooks[0]?.tenant ?? 403),
    async reservation() {
      const held = await send('POST', '/api/reservations', key, event(name))
      if (held.status !== 201) return held.status
      const settled = await send('POST', `/api/reservations/${held.json.id}/settle`, key, { tokens: 1 })
      if (settled.status === 200) sent.events++
      return settled.status === 200 ? readReservationId(held.json.id)!.tenantId : settled.status
    },
  }
}

describe.each(MODES)('$mode', ({ withValkey }) => {
  test('a moved name leads a bound key to its own tenant or nowhere', async () => {
    const target = await startTarget(withValkey, { LIMIT_REQUESTS: '0' })
    const [own, other] = [await make(target, 'n1'), await make(target, 'n2')]
    for (const tenant of [own, other])
      await target.send('POST', '/api/webhooks', KEY, { tenant, kind: 'slack', url: 'https://example.com/' })
    const key = await target.keyOf('n1', 'admin')
    const sent = { events: 0 }
    const ways = everyWay(target, key, 'n2', sent)
    // Warm the caches: an unbound key asks for n2, and the bound key is refused.
    await target.send('POST', '/api/events', KEY, event('n2'))
    for (const [way, go] of Object.entries(ways)) expect([way, await go()]).toEqual([way, 403])
    expect(sent.events).toBe(0)

    await rename(target, other, 'n2-old')
    await rename(target, own, 'n2')
    const allowed = new Set<string | number>([own, 201, 403])
    const answers = new Map<string, Set<string | number>>()
    for (const end = performance.now() + 2 * WINDOW_MS; performance.now() < end; await sleep(20)) {
      for (const [way, go] of Object.entries(ways)) {
        const answer = await go()
        expect([way, answer, allowed.has(answer)]).toEqual([way, answer, true])
        answers.set(way, (answers.get(way) ?? new Set()).add(answer))
      }
    }
    // There are no alerts. Every other way has reached the key's own tenant by its new name.
    for (const [way, answer] of answers)
      expect([way, way === 'alerts' || answer.has(own) || answer.has(201)]).toEqual([way, true])
    await until(async () => (await counted(target, own)) === sent.events)
    expect([await counted(target, other), await deadLetters(target)]).toEqual([1, 0])
  })

  test('when two tenants swap names, each key stays with its tenant and each name leads to its new one', async () => {
    const target = await startTarget(withValkey, { LIMIT_REQUESTS: '0' })
    const ids = [await make(target, 'left'), await make(target, 'right')]
    const keys = [await target.keyOf('left', 'admin'), await target.keyOf('right', 'admin')]
    const sent = [{ events: 0 }, { events: 0 }]
    for (const name of ['left', 'right'])
      expect((await target.send('POST', '/api/check', KEY, event(name))).status).toBe(200)

    await rename(target, ids[0]!, 'between')
    await rename(target, ids[1]!, 'left')
    await rename(target, ids[0]!, 'right')
    const swappedAt = performance.now()
    for (let i = 0; performance.now() < swappedAt + 1.5 * WINDOW_MS; i = 1 - i) {
      for (const name of ['left', 'right']) {
        for (const [way, go] of Object.entries(everyWay(target, keys[i]!, name, sent[i]!))) {
          const answer = await go()
          expect([way, answer, [ids[i], 201, 403].includes(answer)]).toEqual([way, answer, true])
        }
      }
    }
    // The unbound key has not used the names meanwhile: what is cached about them is old.
    const before = [sent[0]!.events, sent[1]!.events]
    for (const name of ['left', 'right']) {
      expect((await target.send('POST', '/api/events', KEY, [event(name), event(name)])).status).toBe(201)
      expect((await target.send('POST', '/api/check', KEY, event(name))).json.quota.id).toBe(
        ids[name === 'left' ? 1 : 0],
      )
    }
    for (const [i, id] of ids.entries()) await until(async () => (await counted(target, id)) === before[i]! + 2)
    expect(await deadLetters(target)).toBe(0)
  })

  test('a tenant that is deleted and recreated under its name gets the events that follow', async () => {
    const target = await startTarget(withValkey, { LIMIT_REQUESTS: '0' })
    const first = await make(target, 'phoenix')
    expect((await target.send('POST', '/api/check', KEY, event(first))).status).toBe(200)
    const send = async (): Promise<number> => (await target.send('POST', '/api/events', KEY, event('phoenix'))).status
    expect(await send()).toBe(201)
    const busy = await make(target, 'busy')
    const key = await target.keyOf('phoenix')
    expect((await target.send('POST', '/api/events', key, event('phoenix'))).status).toBe(201)
    await until(async () => (await counted(target, first)) === 2)

    expect((await target.send('DELETE', '/api/tenants/phoenix', KEY)).status).toBe(200)
    const second = await make(target, 'phoenix')
    expect(second).not.toBe(first)
    // Meanwhile others keep the server busy, and nobody asks for the name.
    for (const end = performance.now() + WINDOW_MS; performance.now() < end; await sleep(50)) {
      expect((await target.send('POST', '/api/events', KEY, event(busy))).status).toBe(201)
      const gone = await target.send('POST', '/api/check', KEY, event(first))
      expect([gone.status, [200, 404].includes(gone.status)]).toEqual([gone.status, true])
    }
    expect((await target.send('POST', '/api/check', KEY, event(first))).status).toBe(404)
    const before = await deadLetters(target)
    for (let i = 0; i < 5; i++) expect(await send()).toBe(201)
    expect((await target.send('POST', '/api/check', KEY, event('phoenix'))).json.quota.id).toBe(second)
    expect((await target.send('POST', '/api/reservations', KEY, event('phoenix'))).status).toBe(201)
    expect((await target.send('POST', '/api/events', key, event('phoenix'))).status).toBe(401)
    await until(async () => (await counted(target, second)) === 5)
    expect([before, await deadLetters(target)]).toEqual([0, 0])
  })

  test('no tenant named like an id, or created automatically, takes what a bound key sends', async () => {
    const target = await startTarget(withValkey, { LIMIT_REQUESTS: '0', AUTO_CREATE_TENANTS: 'true' })
    const own = await make(target, 'before')
    // The API refuses a name in the form of an id; SQL does not.
    await target.ctx.database`insert into tenants (name) values (${own})`
    const key = await target.keyOf('before', 'admin')
    const sent = { events: 0 }
    for (const name of ['before', own]) {
      for (const [way, go] of Object.entries(everyWay(target, key, name, sent))) {
        const [answer, isEmpty] = [await go(), ['alerts', 'webhooks'].includes(way)]
        expect([way, answer]).toEqual([way, ['single', 'batch', 'lines'].includes(way) ? 201 : isEmpty ? 403 : own])
      }
    }
    await rename(target, own, 'after')
    // For a moment the key may still use its old name, which nobody has now.
    for (const go of Object.values(everyWay(target, key, 'before', sent))) await go()
    await until(async () => (await counted(target, own)) === sent.events)
    const rows = await target.ctx.database`select name from tenants`
    expect(new Set(rows.map(({ name }) => name))).toEqual(
      new Set(['acme-corp', 'after', 'globex-inc', 'initech-llc', own]),
    )
  })
})
