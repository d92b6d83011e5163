// What the tenant model knows: which tenant had which name when, its reservations, and the allowed results of requests.
import assert from 'node:assert/strict'

/** How long a name, key or id may still be believed after it was moved, revoked or deleted. */
export const GRACE_MS = 1_000

/** The feature of everything reserved and settled, with its own hard quota. All other events have `PLAIN`. */
export const HELD = 'held'
export const PLAIN = 'plain'

/** From before a request until after its answer, in milliseconds on the monotonic clock. */
export interface Span {
  from: number
  until: number
}

/** A tenant with two hard quotas, a monthly one and one for the feature `HELD`. */
export interface Tenant {
  id: string
  /** Bound to this tenant. */
  key: string
  quotaId: string
  monthlyLimit: number
  featureLimit: number
  /** From the request to delete it until the answer. */
  deletion: Span
  /** By Idempotency-Key, the reservation that a row remembers. */
  keys: Map<string, Reservation>
  /** Tokens of recorded events when the database was last read: of all, and of `HELD`. */
  used: { all: number; held: number }
  /** What the tightest quota had left then, and since when. */
  room: number
  roomSince: number
}

/** `racing`: settled and released at once, in unknown order. */
export interface Reservation {
  /** As clients see its id, and the UUID in it. */
  text: string
  id: string
  tenant: Tenant
  tokens: number
  /** Its Idempotency-Key. */
  key: string | undefined
  state: 'held' | 'expired' | 'racing' | 'settled' | 'released' | 'lapsed'
  /** What it was settled with. In any state but `settled`, that was too late: its tokens had been given back. */
  settledWith?: number
}

export interface Name {
  text: string
  /** Its owners, in order. */
  owners: ({ tenant: Tenant | undefined } & Span)[]
}

/** An event that was acknowledged, or refused because its id was used. */
export interface Sent {
  /** Identifies it within its tenant: the same `what` is the same event. */
  what: string
  feature: string
  tokens: number
  /** The tenants it may count for. */
  tenants: Tenant[]
  /** The event's id if it counts for this tenant. */
  idOf: (tenantId: string) => string
  /** Where it was found. */
  place?: Tenant | 'dead letter'
}

export interface Model {
  names: Name[]
  tenants: Tenant[]
  reservations: Reservation[]
  acknowledged: Sent[]
  reused: Sent[]
  workerIsAway: boolean
}

/** How a request refers to a tenant; `own`: by the current name of the caller's tenant. */
export interface Ref {
  by: 'name' | 'id' | 'own' | 'nothing'
  n: number
}

/** Who calls: the key of a tenant; undefined: an unbound one. */
export type Caller = Tenant | undefined

export const nth = <T>(list: T[], n: number): T | undefined => list[n % (list.length || 1)]

/** The existing tenants, and the two deleted last. */
export function around({ tenants }: Model): Tenant[] {
  const gone = tenants.filter((tenant) => !exists(tenant))
  return [...tenants.filter(exists), ...gone.slice(-2)]
}
export const exists = ({ deletion }: Tenant): boolean => deletion.from === Infinity
export const ownerOf = ({ owners }: Name): Tenant | undefined => owners.at(-1)?.tenant
export const nameOf = ({ names }: Model, tenant: Tenant): Name | undefined =>
  names.find((name) => ownerOf(name) === tenant)

/** Passes the name to another tenant, or to nobody; the span is that of the request. */
export function give(name: Name, tenant: Tenant | undefined, { from, until }: Span): void {
  const last = name.owners.at(-1)
  if (last) last.until = until
  name.owners.push({ tenant, from, until: Infinity })
}

/** A tenant as a request names it. */
export function write(model: Model, caller: Caller, { by, n }: Ref): { ref?: string; name?: Name; tenant?: Tenant } {
  if (by === 'nothing' && caller) return {}
  const own = by === 'own' && caller ? nameOf(model, caller) : undefined
  const tenant = by === 'id' ? nth(around(model), n) : undefined
  if (tenant) return { ref: tenant.id, tenant }
  const name = own ?? nth(model.names, n)!
  return { ref: name.text, name }
}

/** The allowed results of a request: it counts for one of the tenants. `must`: be accepted, or get this status. */
export interface Expected {
  tenants: Tenant[]
  must?: 'accept' | number
}

/** Whether a tenant existed throughout the span, was no longer believed in, or could be either. */
export function lifeOf({ deletion }: Tenant, { from, until }: Span): 'there' | 'leaving' | 'gone' {
  if (until < deletion.from) return 'there'
  return from > deletion.until + GRACE_MS ? 'gone' : 'leaving'
}

/** The allowed results of a request by the caller that named a tenant and was answered within the span. */
export function expected(caller: Caller, { name, tenant }: ReturnType<typeof write>, span: Span): Expected {
  const owners = name ? ownersIn(name, span) : [tenant ?? caller]
  const surely = (found: Tenant, is: boolean): Expected => ({ tenants: [found], ...(is && { must: 'accept' }) })
  if (caller) {
    const life = lifeOf(caller, span)
    if (life === 'gone') return { tenants: [], must: 401 }
    if (!owners.includes(caller)) return { tenants: [], ...(life === 'there' && { must: 403 }) }
    return surely(caller, life === 'there' && owners.length === 1)
  }
  const [only] = owners
  if (owners.length > 1) return { tenants: owners.filter((owner) => owner !== undefined) }
  const life = only ? lifeOf(only, span) : 'gone'
  return !only || life === 'gone' ? { tenants: [], must: 404 } : surely(only, life === 'there')
}

/** Everyone a server may have believed to own the name. */
function ownersIn({ owners }: Name, { from, until }: Span): (Tenant | undefined)[] {
  const there = owners.filter((owner) => owner.from <= until && owner.until + GRACE_MS >= from)
  return [...new Set(there.map(({ tenant }) => tenant))]
}

/** For a key, name or id that is no longer believed, or an event whose tenant was deleted. */
const REFUSALS = [401, 403, 404, 422]

/** Checks an answer's status. Returns whether it says that a tenant was reached. */
export function isReached({ tenants, must }: Expected, status: number, reached: number[]): boolean {
  if (typeof must === 'number') assert.equal(status, must)
  else {
    const allowed = [...(tenants.length > 0 ? reached : []), ...(must ? [] : REFUSALS)]
    assert.ok(allowed.includes(status), `${status} is none of ${allowed.join()}`)
  }
  return reached.includes(status)
}

/** The tenant that an answer names, by its own id or that of its quota. It must be one of those expected. */
export function reachedOf({ tenants }: Expected, id: string): Tenant {
  const tenant = tenants.find((one) => one.id === id || one.quotaId === id)
  assert.ok(tenant, `${id} is another tenant's: expected ${tenants.map((one) => one.id).join()}`)
  return tenant
}

/** Tokens a tenant holds; with Valkey, an expired hold counts until `lapse` has run. */
const heldBy = ({ reservations }: Model, tenant: Tenant, hasStream: boolean): number =>
  reservations
    .filter((one) => one.tenant === tenant && (one.state === 'held' || (hasStream && one.state === 'expired')))
    .reduce((sum, { tokens }) => sum + tokens, 0)

/** Whether both quotas of the tenant have room. */
export function fits(model: Model, tenant: Tenant, tokens: number, hasStream: boolean): boolean {
  const held = heldBy(model, tenant, hasStream) + tokens
  return tenant.used.all + held <= tenant.monthlyLimit && tenant.used.held + held <= tenant.featureLimit
}

/** The reservation made with a key, while asking again returns it and takes nothing. */
export function knownBy(tenant: Tenant, key: string | undefined, hasStream: boolean): Reservation | undefined {
  const known = key === undefined ? undefined : tenant.keys.get(key)
  const states = hasStream ? ['held', 'settled', 'expired'] : ['held', 'settled']
  return known && states.includes(known.state) ? known : undefined
}

/** Notes a granted reservation: the one made earlier with its key, or a new one that must fit. */
export function granted(model: Model, given: Omit<Reservation, 'state' | 'settledWith'>, hasStream: boolean): void {
  const { tenant, tokens, key } = given
  const known = knownBy(tenant, key, hasStream)
  if (known) {
    assert.deepEqual([given.text, tokens], [known.text, known.tokens])
    if (known.state === 'expired') known.state = 'held'
    return
  }
  assert.ok(fits(model, tenant, tokens, hasStream), `granted ${tokens} that do not fit`)
  assert.ok(!model.reservations.some(({ id }) => id === given.id), 'granted an id that was granted before')
  const reservation: Reservation = { ...given, state: 'held' }
  model.reservations.push(reservation)
  if (key !== undefined) tenant.keys.set(key, reservation)
}
