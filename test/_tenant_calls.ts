// The requests of the tenant model's commands, and what the model learns from the answers.
import assert from 'node:assert/strict'
import { eventId, placeId } from '../lib/events/event_id.ts'
import { readReservationId } from '../lib/quota/reservation.ts'
import { type Answer, type Real, type Request, send } from './_tenant_books.ts'
import {
  type Caller,
  type Expected,
  type Model,
  type Name,
  PLAIN,
  type Ref,
  type Reservation,
  type Tenant,
  GRACE_MS,
  HELD,
  around,
  exists,
  expected,
  fits,
  give,
  granted,
  isReached,
  knownBy,
  nameOf,
  nth,
  ownerOf,
  reachedOf,
  write,
} from './_tenant_model.ts'

/** Which server to ask, with whose key, about which tenant. */
export interface Ask {
  server: number
  /** Whose key: the n-th tenant's; undefined: an unbound one. */
  by: number | undefined
  ref: Ref
}

export interface Item {
  ref: Ref
  id: string | undefined
  tokens: number
}

const MONTHLY_LIMIT = 150
const FEATURE_LIMIT = 100

const callerOf = (model: Model, n: number | undefined): Caller => (n === undefined ? undefined : nth(around(model), n))
/** The n-th existing tenant. */
export const alive = (model: Model, n: number): Tenant | undefined => nth(model.tenants.filter(exists), n)

const post = (path: string, body: unknown, caller?: Caller, idempotencyKey?: string): Request => ({
  method: 'POST',
  path: `/api/${path}`,
  body,
  key: caller?.key,
  idempotencyKey,
})

/** Makes a tenant with its quotas and its key. */
export async function make(model: Model, real: Real, at: number, name: string): Promise<void> {
  const ask = async (path: string, body: object) => {
    const answer = await send(real, at, post(path, body))
    assert.equal(answer.status, 201)
    return answer
  }
  const { body, from, until } = await ask('tenants', { name, monthlyQuota: MONTHLY_LIMIT, monthlyHard: true })
  const quota = { tenant: body.id, feature: HELD, period: 'month', tokenLimit: FEATURE_LIMIT, hard: true }
  const tenant: Tenant = {
    id: body.id,
    quotaId: (await ask('quotas', quota)).body.id,
    key: (await ask('keys', { name: 'model', scopes: ['ingest', 'read'], tenant: body.id })).body.key,
    monthlyLimit: MONTHLY_LIMIT,
    featureLimit: FEATURE_LIMIT,
    deletion: { from: Infinity, until: Infinity },
    keys: new Map(),
    used: { all: 0, held: 0 },
    room: FEATURE_LIMIT,
    roomSince: performance.now(),
  }
  model.tenants.push(tenant)
  give(
    model.names.find(({ text }) => text === name)!,
    tenant,
    { from, until },
  )
}

/** Renames a tenant, if the name is free. */
export async function rename(model: Model, real: Real, at: number, tenant: Tenant, name: Name): Promise<void> {
  const [old, owner] = [nameOf(model, tenant)!, ownerOf(name)]
  const path = `/api/tenants/${tenant.id}`
  const { status, from, until } = await send(real, at, { method: 'PATCH', path, body: { name: name.text } })
  assert.equal(status, owner && owner !== tenant ? 409 : 200)
  if (owner) return
  give(old, undefined, { from, until })
  give(name, tenant, { from, until })
}

/** Deletes a tenant by its name. */
export async function remove(model: Model, real: Real, at: number, tenant: Tenant): Promise<void> {
  const name = nameOf(model, tenant)!
  const { status, from, until } = await send(real, at, { method: 'DELETE', path: `/api/tenants/${name.text}` })
  assert.equal(status, 200)
  tenant.deletion = { from, until }
  give(name, undefined, { from, until })
}

/** Swaps the names of two tenants, by way of a free one. */
export async function swap(model: Model, real: Real, at: number, a: Tenant, b: Tenant): Promise<void> {
  const free = model.names.find((name) => !ownerOf(name))
  if (a === b || !free) return
  const [nameOfA, nameOfB] = [nameOf(model, a)!, nameOf(model, b)!]
  await rename(model, real, at, a, free)
  await rename(model, real, at, b, nameOfA)
  await rename(model, real, at, a, nameOfB)
}

/** Sends one event or a batch while something happens to names, and notes each result. */
export async function report(
  model: Model,
  real: Real,
  { server, by }: Omit<Ask, 'ref'>,
  items: Item[],
  { idempotencyKey, isBatch }: { idempotencyKey: string | undefined; isBatch: boolean },
  meanwhile?: (model: Model, real: Real) => Promise<void>,
): Promise<void> {
  const caller = callerOf(model, by)
  const written = items.map((item) => write(model, caller, item.ref))
  const bodies = items.map(({ id, tokens }, i) => ({ tenant: written[i]!.ref, feature: PLAIN, tokens, id }))
  const [answer] = await Promise.all([
    send(real, server, post('events', isBatch ? bodies : bodies[0], caller, idempotencyKey)),
    meanwhile?.(model, real),
  ])
  if (isBatch) assert.ok([201, 207, 401].includes(answer.status), `a batch is answered ${answer.status}`)
  for (const [i, { id, tokens }] of items.entries()) {
    const result = answer.body.results?.[i] ?? answer.body
    const status = result.problem?.status ?? (result.eventId ? 201 : answer.status)
    const found = expected(caller, written[i]!, answer)
    const hasId = (id ?? idempotencyKey) !== undefined
    if (!isReached(found, status, hasId && !real.hasStream ? [201, 409] : [201])) continue
    const ofPlace = isBatch && id === undefined
    const idOf = (tenantId: string): string => {
      if (!hasId) return result.eventId
      return ofPlace ? placeId(tenantId, idempotencyKey!, i) : eventId(tenantId, id ?? idempotencyKey)
    }
    const what = hasId ? (ofPlace ? `place ${i} of ${idempotencyKey}` : `id ${id ?? idempotencyKey}`) : result.eventId
    const sent = { what, feature: PLAIN, tokens, idOf, tenants: found.tenants }
    if (status === 409) model.reused.push(sent)
    else {
      sent.tenants = sent.tenants.filter((tenant) => idOf(tenant.id) === result.eventId)
      assert.ok(sent.tenants.length > 0, 'the event has the id of another tenant')
      model.acknowledged.push(sent)
    }
  }
}

/** Reports an event under a reservation's id, which would take the place of its settlement: refused. */
export async function reportAsReservation(real: Real, server: number, { id, tenant }: Reservation): Promise<void> {
  const { status } = await send(real, server, post('events', { tenant: tenant.id, feature: HELD, tokens: 1, id }))
  assert.equal(status, 400)
}

/** Asks for a check and for the usage of a tenant. */
export async function look(model: Model, real: Real, { server, by, ref }: Ask, tokens: number): Promise<void> {
  const caller = callerOf(model, by)
  const written = write(model, caller, ref)
  const path = `/api/usage/${written.ref ?? caller!.id}`
  const usage = await send(real, server, { method: 'GET', path, key: caller?.key })
  const ofUsage = expected(caller, written, usage)
  if (isReached(ofUsage, usage.status, [200])) reachedOf(ofUsage, usage.body.tenant)
  const answer = await send(real, server, post('check', { tenant: written.ref, feature: HELD, tokens }, caller))
  const found = expected(caller, written, answer)
  if (!isReached(found, answer.status, [200])) return
  const { room, roomSince } = reachedOf(found, answer.body.quota.id)
  if (answer.from < roomSince + GRACE_MS) return
  assert.deepEqual([answer.body.remaining, answer.body.allowed], [Math.max(room, 0), tokens <= room])
}

/** Reserves tokens. */
export async function reserve(model: Model, real: Real, { server, by, ref }: Ask, tokens: number, key?: string) {
  const caller = callerOf(model, by)
  const written = write(model, caller, ref)
  const answer = await send(real, server, post('reservations', reserving(written.ref, tokens), caller, key))
  note(model, real, answer, expected(caller, written, answer), tokens, key)
}

/** Repeats a reservation that was made with a key. */
export async function reserveAgain(model: Model, real: Real, server: number, { tenant, tokens, key }: Reservation) {
  if (key === undefined) return
  const answer = await send(real, server, post('reservations', reserving(tenant.id, tokens), undefined, key))
  note(model, real, answer, expected(undefined, { tenant }, answer), tokens, key)
}

/** Reserves at both servers at once; with a key, all requests are for the same reservation. */
export async function reserveAtOnce(model: Model, real: Real, tenant: Tenant, amounts: number[], key?: string) {
  const sizes = key === undefined ? amounts : amounts.map(() => amounts[0]!)
  const answers = await Promise.all(
    sizes.map((tokens, i) => send(real, i % 2, post('reservations', reserving(tenant.id, tokens), undefined, key))),
  )
  // In whatever order they ran: all that was granted fits together, and nothing refused would fit beside it.
  const noted = answers
    .map((answer, i) => ({ answer, tokens: sizes[i]! }))
    .toSorted((a, b) => a.answer.status - b.answer.status)
  for (const { answer, tokens } of noted)
    note(model, real, answer, expected(undefined, { tenant }, answer), tokens, key)
}

const reserving = (tenant: string | undefined, tokens: number) => ({ tenant, feature: HELD, tokens })

function note(
  model: Model,
  { hasStream }: Real,
  { status, body }: Answer,
  found: Expected,
  tokens: number,
  key: string | undefined,
): void {
  if (!isReached(found, status, [201, 409])) return
  if (status === 201) {
    const { id, tenantId } = readReservationId(body.id)!
    granted(model, { text: body.id, id, tenant: reachedOf(found, tenantId), tokens, key }, hasStream)
  } else if (body.code === 'quota_exceeded') {
    const tenant = reachedOf(found, body.quota.id)
    assert.equal(knownBy(tenant, key, hasStream), undefined)
    assert.ok(!fits(model, tenant, tokens, hasStream), `${tokens} were refused that fit`)
  } else {
    assert.equal(body.code, 'idempotency_key_reused')
    const isOther = (tenant: Tenant) => (knownBy(tenant, key, hasStream)?.tokens ?? tokens) !== tokens
    assert.ok(found.tenants.some(isOther), 'the key was not used for something else')
  }
}

/** Settles a reservation with at most its tokens, so that settling in time never exceeds a limit. */
export async function settle(
  model: Model,
  real: Real,
  { server, by }: Omit<Ask, 'ref'>,
  reservation: Reservation,
  most: number,
): Promise<void> {
  const { tenant, text, id, settledWith, state, tokens: reserved } = reservation
  const caller = callerOf(model, by)
  const tokens = Math.min(most, reserved)
  const answer = await send(real, server, post(`reservations/${text}/settle`, { tokens }, caller))
  if (!isReached(expectedOf(tenant, caller, answer), answer.status, [200, 409])) return
  assert.ok(exists(tenant), 'settled for a tenant that is deleted')
  assert.equal(answer.status, (settledWith ?? tokens) === tokens ? 200 : 409)
  if (answer.status === 409) return
  assert.equal(answer.body.eventId, id)
  model.acknowledged.push({ what: text, feature: HELD, tokens, idOf: () => id, tenants: [tenant] })
  reservation.settledWith = tokens
  if (state === 'held' || state === 'expired') reservation.state = 'settled'
}

/** Releases a reservation. */
export async function release(
  model: Model,
  real: Real,
  { server, by }: Omit<Ask, 'ref'>,
  reservation: Reservation,
): Promise<void> {
  const { tenant, text, state } = reservation
  const caller = callerOf(model, by)
  const answer = await send(real, server, post(`reservations/${text}/release`, {}, caller))
  const isFound = isReached(expectedOf(tenant, caller, answer), answer.status, [200])
  if (isFound && (state === 'held' || state === 'expired')) reservation.state = 'released'
}

/** Settles a reservation at one server and releases it at the other. */
export async function settleAndRelease(model: Model, real: Real, server: number, reservation: Reservation) {
  const { state } = reservation
  const caller = { by: undefined }
  await Promise.all([
    settle(model, real, { ...caller, server }, reservation, reservation.tokens),
    release(model, real, { ...caller, server: 1 - server }, reservation),
  ])
  if (exists(reservation.tenant) && (state === 'held' || state === 'expired')) reservation.state = 'racing'
}

/** The allowed results of a request about the tenant's reservation: another tenant's key does not find it. */
function expectedOf(tenant: Tenant, caller: Caller, answer: Answer): Expected {
  if (caller === undefined || caller === tenant) return expected(caller, { tenant }, answer)
  const { must } = expected(caller, { tenant: caller }, answer)
  return { tenants: [], ...(must && { must: must === 401 ? 401 : 404 }) }
}
