import { setTimeout as sleep } from 'node:timers/promises'
import { expect, inject, test } from 'vitest'
import type { Database } from '../lib/store/connection.ts'
import { createKey } from '../lib/admin/keys.ts'
import { getTenant, openTenantCache } from '../lib/tenants/tenant_cache.ts'
import { createContext, createTestServer, startConsumers, until } from './_context.ts'
import { createProxy } from './_proxy.ts'

const STALE_MS = 1_000

test('a batch of 3,000 tenants takes one query per 1,000, and none once they are known', async () => {
  const { database } = await createContext()
  await database`insert into tenants (name) select 'tenant ' || i from generate_series(1, 3000) as i`
  let queries = 0
  const counting = {
    options: database.options,
    unsafe: (...args: Parameters<Database['unsafe']>) => (queries++, database.unsafe(...args)),
  }
  const tenants = openTenantCache(counting as unknown as Database)
  const refs = Array.from({ length: 3_000 }, (_, i) => `tenant ${i + 1}`)
  expect((await tenants.find(refs)).size).toBe(3_000)
  expect(queries).toBe(3)
  expect((await tenants.find(refs)).size).toBe(3_000)
  expect(queries).toBe(3)
})

test('a deleted tenant and its name are forgotten within a second', async () => {
  const { database, tenants } = await createContext()
  const id = (await tenants.find(['acme-corp'])).get('acme-corp')!
  await tenants.find([id])
  await database`select delete_tenant(${id})`
  await sleep(STALE_MS)
  expect([tenants.known('acme-corp'), tenants.known(id)]).toEqual([undefined, undefined])
  expect(await tenants.find(['acme-corp', id])).toEqual(new Map())
})

test('the fail mode is that of the tenant found, even if another has since taken its name', async () => {
  const { database, tenants } = await createContext()
  await database`update tenants set fail_mode = 'open' where name = 'acme-corp'`
  await database`update tenants set fail_mode = 'closed' where name = 'globex-inc'`
  const found = await tenants.find(['acme-corp', 'globex-inc'])
  const [acme, globex] = [found.get('acme-corp')!, found.get('globex-inc')!]
  await database`update tenants set name = 'other' where id = ${acme}`
  await database`update tenants set name = 'acme-corp' where id = ${globex}`
  await sleep(STALE_MS)
  expect((await tenants.find(['acme-corp'])).get('acme-corp')).toBe(globex)
  expect([tenants.failMode(acme), tenants.failMode(globex)]).toEqual(['open', 'closed'])
})

test('anything in the form of an id is an id, even if it is the name of a tenant', async () => {
  const { database, tenants } = await createContext()
  const id = (await tenants.find(['acme-corp'])).get('acme-corp')!
  const nobody = '00000000-0000-4000-8000-000000000000'
  await database`insert into tenants (name) values (${id}), (${nobody})`
  const found = await tenants.find([id, id.toUpperCase(), nobody])
  expect(found).toEqual(new Map([id, id.toUpperCase()].map((ref) => [ref, id])))
  expect((await getTenant(database, id)).id).toBe(id)
})

test.each(['closed', 'mute'] as const)(
  'while PostgreSQL is down (%s), known tenants stay known, however old the entry',
  async (mode) => {
    const server = await createTestServer()
    const proxy = await createProxy(server.databaseUrl)
    const env = { DATABASE_URL: proxy.url, VALKEY_URL: inject('valkeyUrl'), LIMIT_REQUESTS: '0' }
    const { ctx, post } = await createTestServer(env)
    const id = (await ctx.tenants.find(['acme-corp'])).get('acme-corp')!
    const { key } = await createKey(server.ctx.database, 'test', { name: 'k', scopes: ['ingest'], tenantId: id })
    let sent = 0
    const send = async (tenant: string, headers = {}) => {
      const { status } = await post('/api/events', { tenant, feature: 'x', tokens: 1 }, headers)
      if (status === 201) sent++
      return status
    }
    const own = { authorization: `Bearer ${key}` }
    expect([await send('acme-corp'), await send('acme-corp', own)]).toEqual([201, 201])
    proxy.set(mode)
    for (const end = Date.now() + 3 * STALE_MS; Date.now() < end; await sleep(50))
      expect([await send('acme-corp'), await send('acme-corp', own)]).toEqual([201, 201])
    expect(await send('globex-inc')).toBe(503)
    proxy.set('open')
    await until(async () => (await send('globex-inc')) === 201)
    await startConsumers(ctx, ['rollup'])
    const rows = () => server.ctx.database`select count(*)::int as count from events`
    await until(async () => (await rows())[0]!.count === sent)
    expect(await server.ctx.database`select 1 from dead_letters`).toEqual([])
  },
)
