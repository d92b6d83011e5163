import { setTimeout as sleep } from 'node:timers/promises'
import type { Changes } from '../live/changes.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { queryAgain } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { openGroup } from '../store/group.ts'
import { cataloguePrices } from '../prices/catalogue.ts'
import type { Metric } from './limit.ts'
import type { QuotaRow } from './quota.ts'
import type { Reservation } from './reservation.ts'
import { loadSql } from '../store/sql.ts'

/** Reservations per transaction, at most. */
const GROUP = 500
/** Transactions at the same time: while one waits for the disk, the next does its work. */
const AT_ONCE = 2
/** Longer, and it is unknown whether the tokens are held; what is held lapses. */
const ANSWER_MS = 2_000
/** After a failure, requests fail at once for this long. */
const REST_MS = 500

/** A reservation that is asked for. */
export interface Wanted extends Reservation {
  /** The client's Idempotency-Key, as `reservationKey` writes it. */
  key?: string
  tokens: number
  /** Of the tokens, if it is known. */
  input?: number | undefined
  output?: number | undefined
  ttlSeconds: number
}

/** What came of it. A key whose reservation is held or settled is granted that one, as it was made. */
export type Reserved = {
  /** What is left of the tightest quota, and in what: tokens, requests, or nano-dollars. */
  remaining: number
  metric: Metric
  /** It was made before, for another feature, model or user, or of other tokens. */
  isOther: boolean
} & (
  | {
      granted: true
      id: string
      /** When it was made, and until when it holds; milliseconds since 1970. */
      createdAt: number
      expiresAt: number
    }
  | {
      granted: false
      /** The tightest one. */
      quota: QuotaRow
      /** It counts cost, and the model has no price. */
      unpriced: boolean
    }
)

/** A row of `reserve_tokens`. */
type ReservedRow = {
  place: number
  metric: Metric
  remaining: number
  unpriced: boolean
  /** How the reservation of this key was made before. */
  known: {
    id: string
    feature: string
    tokens: number
    created_at: string
    model: string | null
    user_id: string | null
  } | null
} & ({ expires_at: Date; refused_by: null } | { expires_at: null; refused_by: QuotaRow })

/** Makes and gives back reservations. */
export interface Reservations {
  /**
   * Undefined: there is no such tenant. @throws when the database did not answer: then it is unknown whether the tokens
   * are held
   */
  reserve(wanted: Wanted): Promise<Reserved | undefined>
  /** Gives back what is still held and ignores the rest. */
  release(reservation: Reservation): Promise<void>
  /** Resolves when nothing is in hand. */
  idle(): Promise<void>
}

interface Needs {
  database: Database
  metrics: Metrics
  changes: Changes
  /** Only whether there is one. */
  valkey?: unknown
}

/** Opens the reservations of one process. They are committed in groups, as events are. */
export function openReservations(ctx: Needs): Reservations {
  const touched = (group: Reservation[]) => {
    for (const { tenantId } of group) ctx.changes.touched(tenantId)
  }
  const reserving = openGroup(reserveAll, { most: GROUP, restMs: REST_MS, atOnce: AT_ONCE })
  const releasing = openGroup(releaseAll, { most: GROUP, restMs: REST_MS })

  async function reserveAll(group: Wanted[]): Promise<(Reserved | undefined)[]> {
    // The same reservation twice in a group is a retry that overtook its first try: both get the first one's answer.
    const places = new Map<string, number>()
    const unique: Wanted[] = []
    for (const wanted of group) {
      const key = placeKey(wanted)
      if (!places.has(key)) places.set(key, unique.push(wanted))
    }
    const asked = unique.map((wanted) => ({
      tenant_id: wanted.tenantId,
      id: wanted.id,
      key: wanted.key ?? null,
      feature: wanted.feature,
      tokens: wanted.tokens,
      created_at: new Date(wanted.createdAt).toISOString(),
      ttl_seconds: wanted.ttlSeconds,
      model: wanted.model,
      user_id: wanted.user,
      input_tokens: wanted.input,
      output_tokens: wanted.output,
    }))
    const models = new Set(unique.flatMap(({ model }) => model ?? []))
    const prices = JSON.stringify(await cataloguePrices(models))
    const rows = await queryAgain<ReservedRow>(
      ctx.database,
      loadSql('queries/reservation_create'),
      [JSON.stringify(asked), !ctx.valkey, prices], // with it, a settlement may wait in the stream: `lapse` looks
      ANSWER_MS,
    )
    touched(group)
    const byPlace = new Map(rows.map((row) => [row.place, row]))
    return group.map((wanted) => {
      const place = places.get(placeKey(wanted))!
      return toReserved(wanted, unique[place - 1]!, byPlace.get(place))
    })
  }

  async function releaseAll(group: Reservation[]): Promise<void[]> {
    const args = [group.map(({ tenantId }) => tenantId), group.map(({ id }) => id)]
    const [row] = await queryAgain<{ released: number }>(
      ctx.database,
      loadSql('queries/reservation_release'),
      args,
      ANSWER_MS,
    )
    ctx.metrics.reservations.inc({ outcome: 'released' }, row?.released ?? 0)
    touched(group)
    return group.map(() => undefined)
  }

  async function idle(): Promise<void> {
    while (reserving.isBusy() || releasing.isBusy()) await sleep(5)
  }

  return { reserve: reserving.run, release: releasing.run, idle }
}

const placeKey = ({ tenantId, id, key }: Wanted): string => tenantId + (key ?? id)

/** `first` is what was sent for this key. */
function toReserved(wanted: Wanted, first: Wanted, row: ReservedRow | undefined): Reserved | undefined {
  if (!row) return undefined
  const { remaining, metric, known } = row
  const { id, feature, tokens } = known ?? first
  const { model, user } = known ? { model: known.model ?? undefined, user: known.user_id ?? undefined } : first
  const isSame =
    feature === wanted.feature && tokens === wanted.tokens && model === wanted.model && user === wanted.user
  const answer = { remaining, metric, isOther: !isSame }
  if (row.refused_by) return { ...answer, granted: false, quota: row.refused_by, unpriced: row.unpriced }
  const createdAt = known ? Date.parse(known.created_at) : first.createdAt
  return { ...answer, granted: true, id, createdAt, expiresAt: row.expires_at.getTime() }
}
