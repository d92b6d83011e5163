// The tenant model's counterpart: two real servers with their own caches, and their database's books after each step.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Pool } from 'undici'
import { inject, onTestFinished } from 'vitest'
import { verify } from '../cli/verify.ts'
import rollup from '../handlers/rollup.ts'
import { runStreamConsumer } from '../lib/worker/consume.ts'
import type { Context } from '../lib/context.ts'
import { createDatabase, createTestServer } from './_context.ts'
import { KEY } from './_key.ts'
import { HELD, type Model, type Sent, type Span, type Tenant, exists, nameOf } from './_tenant_model.ts'

/** Two servers and what they share. */
export interface Real {
  ctx: Context
  hasStream: boolean
  pools: Pool[]
}

/** Opens two servers on their own database and, with Valkey, their own queue. */
export async function openReal(hasStream: boolean): Promise<Real> {
  const env = {
    DATABASE_URL: await createDatabase(),
    DATABASE_POOL_SIZE: '4',
    LIMIT_REQUESTS: '0',
    LIMIT_EVENTS: '0',
    WORKER_CONCURRENCY: '1',
    ...(hasStream && { VALKEY_URL: inject('valkeyUrl'), QUEUE_NAME: `model-${randomUUID()}` }),
  }
  const servers = [await createTestServer(env), await createTestServer(env)]
  const pools = servers.map(({ url }) => new Pool(url, { connections: 8 }))
  onTestFinished(async () => void (await Promise.all(pools.map((pool) => pool.close()))))
  return { ctx: servers[0]!.ctx, hasStream, pools }
}

export interface Answer extends Span {
  status: number
  body: any
}

export interface Request {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  path: string
  body?: unknown
  /** The caller's key; default: an unbound one. */
  key?: string | undefined
  idempotencyKey?: string | undefined
}

/** Sends a request to a server and waits for its answer. */
export async function send({ pools }: Real, server: number, request: Request): Promise<Answer> {
  const { method, path, body, key = KEY, idempotencyKey } = request
  const from = performance.now()
  const answer = await pools[server]!.request({
    method,
    path,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const document = await answer.body.json()
  return { status: answer.statusCode, body: document, from, until: performance.now() }
}

/** An event as a row or in a dead letter. */
interface Found {
  tenant_id: string
  id: string
  feature: string
  tokens: number
}
interface Books {
  tenants: { id: string; name: string }[]
  events: Found[]
  letters: Found[]
  reservations: { tenant_id: string; id: string; status: string; has_expired: boolean }[]
  counters: { tenant_id: string; quota_id: string; total: number; reserved: number }[]
}

/** Everything the database has about these tenants, in one query. */
async function read({ ctx }: Real, ids: string[]): Promise<Books> {
  const [row] = await ctx.database<{ books: Books }[]>`
    select json_build_object(
      'tenants', array(select json_build_object('id', id, 'name', name) from tenants where id = any (${ids}::uuid[])),
      'events', array(
        select json_build_object('tenant_id', tenant_id, 'id', id, 'feature', feature, 'tokens', tokens)
        from events where tenant_id = any (${ids}::uuid[])),
      'letters', array(
        select json_build_object(
          'tenant_id', p ->> 'tenantId', 'id', p ->> 'id', 'feature', p ->> 'feature', 'tokens', p -> 'tokens')
        from dead_letters cross join lateral (select payload::jsonb as p)
          where p ->> 'tenantId' = any (${ids}::text[])),
      'reservations', array(
        select json_build_object('tenant_id', tenant_id, 'id', id, 'status', status, 'has_expired', expires_at <= now())
        from reservations where tenant_id = any (${ids}::uuid[])),
      'counters', array(
        select json_build_object(
          'tenant_id', tenant_id, 'quota_id', quota_id, 'total', total_tokens, 'reserved', reserved_tokens)
        from usage_periods where tenant_id = any (${ids}::uuid[]))
    ) as books`
  return row!.books
}

/** Compares the books with the model. Unless the worker is away, it first records what waits. */
export async function check(model: Model, real: Real): Promise<void> {
  const isDrained = !real.hasStream || !model.workerIsAway
  if (isDrained && real.hasStream && model.acknowledged.some(({ place }) => !place)) await drain(real)
  const books = await read(
    real,
    model.tenants.map(({ id }) => id),
  )
  const there = model.tenants.filter(exists)
  const names = there.map((tenant) => ({ id: tenant.id, name: nameOf(model, tenant)!.text }))
  assert.deepEqual(sortById(books.tenants), sortById(names))
  findReservations(model, books)
  findEvents(model, books, isDrained)
  for (const tenant of there) count(model, tenant, books)
}

const sortById = <T extends { id: string }>(list: T[]): T[] => list.toSorted((a, b) => (a.id < b.id ? -1 : 1))

/** Lets the worker record what waits in the stream. */
export const drain = ({ ctx }: Real): Promise<void> =>
  runStreamConsumer(ctx, 'rollup', rollup, new AbortController().signal, true).done

/** Holds match the model, which learns here what it cannot know: who came first, whether a hold has lapsed yet. */
function findReservations(model: Model, { reservations }: Books): void {
  const rows = new Map(reservations.map((row) => [row.id, row]))
  const there = new Set(model.tenants.filter(exists).map(({ id }) => id)) // holds of deleted tenants go with `prune`
  const held: string[] = []
  for (const reservation of model.reservations) {
    if (!exists(reservation.tenant)) continue
    const row = rows.get(reservation.id)
    if (reservation.state === 'expired' && row?.status !== 'held') reservation.state = 'lapsed'
    if (reservation.state === 'expired' && !row!.has_expired) reservation.state = 'held' // prolonged by its key
    if (reservation.state === 'racing' && (row?.status === 'settled' || row?.status === 'released'))
      reservation.state = row.status
    const isHeld = reservation.state === 'held' || reservation.state === 'expired'
    if (isHeld) held.push(reservation.id)
    else if (row) assert.equal(row.status, reservation.state)
  }
  const found = reservations.filter((row) => row.status === 'held' && there.has(row.tenant_id)).map(({ id }) => id)
  assert.deepEqual(found.toSorted(), held.toSorted())
}

/** Each acknowledged event is stored for a tenant it may count for, and nothing else is stored. */
function findEvents(model: Model, { events, letters }: Books, isDrained: boolean): void {
  const rows = new Map(events.map((row) => [row.tenant_id + row.id, row]))
  const rowOf = (sent: Sent, { id }: Tenant) => rows.get(id + sent.idOf(id))
  const isIt = (sent: Sent, row: Found | undefined) => row?.feature === sent.feature && row.tokens === sent.tokens
  /** The rows, and the events that explain them. */
  const explained = new Map<Found, string>()
  for (const sent of model.acknowledged) {
    if (!sent.place) {
      const isLetter = ({ tenant_id: tenantId, ...letter }: Found) =>
        letter.id === sent.idOf(tenantId) && isIt(sent, { ...letter, tenant_id: tenantId })
      const dead = letters.filter(isLetter).map((letter) => sent.tenants.find(({ id }) => id === letter.tenant_id))
      const place = sent.tenants.find((tenant) => isIt(sent, rowOf(sent, tenant)))
      if (place) sent.place = place
      // The tenant was deleted after the answer, or the id was another event's: unknowable when answering.
      else if (dead.some((tenant) => tenant && (!exists(tenant) || rowOf(sent, tenant)))) sent.place = 'dead letter'
      // Deleted with its tenant.
      else if (isDrained && sent.tenants.some((tenant) => !exists(tenant))) sent.place = 'dead letter'
      else assert.ok(!isDrained, `lost: ${describe(sent)}`)
    }
    if (!sent.place || sent.place === 'dead letter') continue
    const row = rowOf(sent, sent.place)
    if (row) {
      assert.equal(explained.get(row) ?? sent.what, sent.what, 'two events have one id')
      explained.set(row, sent.what)
    }
    if (exists(sent.place)) assert.ok(isIt(sent, row), `not there any more: ${describe(sent)}`)
  }
  for (const row of events) assert.ok(explained.has(row), `nobody has sent ${JSON.stringify(row)}`)
  for (const sent of model.reused.splice(0)) {
    const isUsed = (tenant: Tenant) => {
      const row = rowOf(sent, tenant)
      return row && explained.get(row) === sent.what && !isIt(sent, row)
    }
    assert.ok(sent.tenants.some(isUsed), `refused without a reason: ${describe(sent)}`)
  }
}

const describe = ({ tenants, feature, tokens, idOf }: Sent): string =>
  tenants.map(({ id }) => `${tokens} ${feature} with the id ${idOf(id)} for ${id}`).join(' or ')

/** Counters equal the sums of events and holds, and what is held or settled in time never exceeds a limit. */
function count(model: Model, tenant: Tenant, { events, counters }: Books): void {
  const own = model.reservations.filter((one) => one.tenant === tenant)
  const held = sum(own.filter(({ state }) => state === 'held' || state === 'expired').map(({ tokens }) => tokens))
  const settled = sum(own.flatMap(({ state, settledWith }) => (state === 'settled' ? settledWith! : [])))
  const recorded = events.filter((row) => row.tenant_id === tenant.id)
  const all = sum(recorded.map(({ tokens }) => tokens))
  const ofFeature = sum(recorded.filter(({ feature }) => feature === HELD).map(({ tokens }) => tokens))
  const late = sum(own.flatMap(({ state, settledWith }) => (state === 'settled' ? [] : (settledWith ?? []))))
  assert.equal(ofFeature, settled + late)
  const counter = (quotaId: string) => {
    const rows = counters.filter((row) => row.quota_id === quotaId)
    return [sum(rows.map(({ total }) => total)), sum(rows.map(({ reserved }) => reserved))]
  }
  assert.deepEqual(
    [counter(tenant.id), counter(tenant.quotaId)],
    [
      [all, held],
      [ofFeature, held],
    ],
  )
  assert.ok(settled + held <= Math.min(tenant.monthlyLimit, tenant.featureLimit), 'a hard quota is overbooked')
  const room = Math.min(tenant.monthlyLimit - all, tenant.featureLimit - ofFeature) - held
  if (room !== tenant.room) Object.assign(tenant, { room, roomSince: performance.now() })
  tenant.used = { all, held: ofFeature }
}

const sum = (numbers: number[]): number => numbers.reduce((total, number) => total + number, 0)

/** At the end: the books agree with each other, and there was no deadlock. */
export async function closeBooks({ ctx }: Real): Promise<void> {
  assert.deepEqual(await verify(ctx.database), [])
  const [stats] = await ctx.database`select deadlocks from pg_stat_database where datname = current_database()`
  assert.equal(stats!.deadlocks, 0)
}
