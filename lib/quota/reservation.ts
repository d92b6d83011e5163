import { v5 as uuidv5 } from 'uuid'
import type { Caller } from '../auth/caller.ts'
import type { TenantCache } from '../tenants/tenant_cache.ts'
import { Feature } from '../events/event.ts'
import { isOwnId } from '../events/event_id.ts'
import { asUuid } from '../schema.ts'
import { isUnavailable } from '../store/outage.ts'
import { Problem } from '../problem.ts'

/** Tokens set aside for one call of a model. */
export interface Reservation {
  tenantId: string
  /** Random, and FlagMeter's own kind: also the id of the event that settles it. */
  id: string
  feature: string
  model?: string | undefined
  user?: string | undefined
  /** When it was made, in milliseconds since 1970. What it comes to counts in the periods of that moment. */
  createdAt: number
}

const PREFIX = 'rs_'

/** The form of an Idempotency-Key in the database: a UUID in the tenant's namespace. */
export const reservationKey = (tenantId: string, key: string): string => uuidv5(`reservation:${key}`, tenantId)

/**
 * The id as clients see it: all that settling needs, so that it needs no look-up, also while PostgreSQL is away.
 * Forging one reports an event, which the key allows anyway.
 */
export function writeReservationId({ tenantId, id, feature, model, user, createdAt }: Reservation): string {
  const time = Buffer.alloc(6)
  time.writeUIntBE(createdAt, 0, 6)
  // A name holds no NUL. Of a call without a model or a user the id is as short as can be.
  const names = [feature, model ?? '', user ?? ''].join('\0').replace(/\0+$/, '')
  return PREFIX + Buffer.concat([toBytes(tenantId), toBytes(id), time, Buffer.from(names)]).toString('base64url')
}

/** What an id says; undefined when it is none. */
export function readReservationId(text: string): Reservation | undefined {
  if (!text.startsWith(PREFIX)) return undefined
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url')
  if (bytes.length < 39) return undefined
  const [tenantId, id] = [toUuid(bytes.subarray(0, 16)), toUuid(bytes.subarray(16, 32))]
  const [feature, model = '', user = ''] = bytes.subarray(38).toString().split('\0')
  const names = [feature, model || 'none', user || 'none']
  if (tenantId === null || id === null || isOwnId(id, 'place')) return undefined
  if (feature === undefined || !names.every((name) => Feature.safeParse(name).success)) return undefined
  const reservation = {
    tenantId,
    id,
    feature,
    ...(model !== '' && { model }),
    ...(user !== '' && { user }),
    createdAt: bytes.readUIntBE(32, 6),
  }
  return writeReservationId(reservation) === text ? reservation : undefined
}

const toBytes = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex')

const toUuid = (bytes: Buffer): string | null =>
  asUuid(bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'))

/** The reservation of this id, if the caller may know of it. @throws Problem reservation_not_found */
export async function findReservation(
  { tenants }: { tenants: TenantCache },
  { tenantId, user }: Caller,
  id: string,
): Promise<Reservation> {
  const reservation = readReservationId(id)
  if (!reservation)
    throw new Problem('reservation_not_found', {
      detail: 'this is not the id of a reservation; send the one that POST /api/reservations returned, like rs_…',
    })
  const mayKnow =
    (tenantId ?? reservation.tenantId) === reservation.tenantId && (user ?? reservation.user) === reservation.user
  if (!mayKnow || !(tenants.known(reservation.tenantId) ?? (await isThere(tenants, reservation.tenantId))))
    throw new Problem('reservation_not_found', { detail: 'reservation does not exist' })
  return reservation
}

/** While the database is away, a tenant is believed to be there: its settlement waits in the stream. */
async function isThere(tenants: TenantCache, tenantId: string): Promise<boolean> {
  try {
    return (await tenants.find([tenantId])).size > 0
  } catch (error) {
    if (!isUnavailable(error)) throw error
    return true
  }
}
