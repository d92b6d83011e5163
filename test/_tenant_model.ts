// What the tenant model knows: which tenant had which name when, its reservations, and the allowed results of requests.
import assert from 'node:assert/strict'

/** For so long a name, a key and an id may still be believed after they were moved, revoked or deleted. */
export const GRACE_MS = 1_000

/** Of a hard quota of its own: what is reserved and settled. All other events have `PLAIN`. */
export const HELD = 'held'
export const PLAIN = 'plain'

/** From before a request until after its answer, in milliseconds on the monotonic clock. */
export interface Span {
  from: number
  until: number
}

/** A tenant with two hard quotas, a monthly one and one of the feature `HELD`. */
export interface Tenant {
  id: string
  /** Bound to it. */
  key: string
  quotaId: string
  monthlyLimit: number
  featureLimit: number
  /** When its deletion was asked for, and when it was answered. */
  deletion: Span
  /** Of its Idempotency-Keys, the reservation that a row remembers. */
  keys: Map<string, Reservation>
  /** Tokens of recorded events as the database was last seen: of all, and of `HELD`. */
  used: { all: number; held: number }
  /** What the tightest quota had left then, and since when. */
  room: number
  roomSince: number
}

/** `racing`: settled and released at once, nobody knows in which order. */
export interface Reservation {
  /** As clients see its id, and the UUID in it. */
  text: string
  id: string
  tenant: Tenant
  tokens: number
  /** Its Idempotency-Key. */
  key: string | undefined
  state: 'held' | 'expired' | 'racing' | 'settled' | 'released' | 'lapsed'
  /** What it was settled with; in a state other than `settled`: too late, when its tokens were given back. */
  settledWith?: number
}

export interface Name {
  text: string
  /** Who had it one after the other. */
  owners: ({ tenant: Tenant | undefined } & Span)[]
}

/** An event that was acknowledged, or refused because its id was used. */
export interface Sent {
  /** What tells it from others of its tenant; the same again is the same event. */
  what: string
  feature: string
  tokens: number
  /** Those it may count for. */
  tenants: Tenant[]
  /** The id that such an event has for a tenant. */
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

/** How a tenant is spoken of; `own`: by the name that the caller's tenant has now. */
export interface Ref {
  by: 'name' | 'id' | 'own' | 'nothing'
  n: number
}

/** Who calls: the key of a tenant; undefined: an unbound one. */
export type Caller = Tenant | undefined

export const nth = <T>(list: T[], n: number): T | undefined => list[n % (list.length || 1)]

/** Those that exist, and the two that were deleted last. */
export function around({ tenants }: Model): Tenant[] {
  const gone = tenants.filter((tenant) => !exists(tenant))
  return [...tenants.filter(exists), ...gone.slice(-2)]
}
export const exists = ({ deletion }: Tenant): boolean => deletion.from === Infinity
export const ownerOf = ({ owners }: Name): Tenant | undefined => owners.at(-1)?.tenant
export const nameOf = ({ names }: Model, tenant: Tenant): Name | undefined =>
  names.find((name) => ownerOf(name) === tenant)

/** The name belongs to another from now on, or to nobody: the change was asked for and answered in the span. */
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

/** The allowed results of a request: it counts for one of the tenants. `must`: it is accepted, or has this status. */
export interface Expected {
  tenants: Tenant[]
  must?: 'accept' | number
}

/** Whether a tenant was there all the while, was not (believed) any more, or one of the two. */
export function lifeOf({ deletion }: Tenant, { from, until }: Span): 'there' | 'leaving' | 'gone' {
  if (until < deletion.from) return 'there'
  return from > deletion.until + GRACE_MS ? 'gone' : 'leaving'
}

/** What may come of a request of the caller that named a tenant and was answered in the span. */
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

/** Who may have been believed to have the name. */
function ownersIn({ owners }: Name, { from, until }: Span): (Tenant | undefined)[] {
  const there = owners.filter((owner) => owner.from <= until && owner.until + GRACE_MS >= from)
  return [...new Set(there.map(({ tenant }) => tenant))]
}

/** A key, a name or an id that is not believed any more, an event whose tenant was deleted. */
const REFUSALS = [401, 403, 404, 422]

/** Checks an answer's status; true: it is one of those that say that a tenant was reached. */
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

/** What of a tenant is held; with Valkey a hold that has expired counts until `lapse` has come by. */
const heldBy = ({ reservations }: Model, tenant: Tenant, hasStream: boolean): number =>
  reservations
    .filter((one) => one.tenant === tenant && (one.state === 'held' || (hasStream && one.state === 'expired')))
    .reduce((sum, { tokens }) => sum + tokens, 0)

/** Whether both quotas of the tenant have room. */
export function fits(model: Model, tenant: Tenant, tokens: number, hasStream: boolean): boolean {
  const held = heldBy(model, tenant, hasStream) + tokens
  return tenant.used.all + held <= tenant.monthlyLimit && tenant.used.held + held <= tenant.featureLimit
}

/** The reservation that a key stands for: it is answered again, and takes nothing. */
export function knownBy(tenant: Tenant, key: string | undefined, hasStream: boolean): Reservation | undefined {
  const known = key === undefined ? undefined : tenant.keys.get(key)
  const states = hasStream ? ['held', 'settled', 'expired'] : ['held', 'settled']
  return known && states.includes(known.state) ? known : undefined
}

/** A reservation was answered: the one that its key stands for, or a new one for which there was room. */
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
