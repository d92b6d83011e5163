import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from './context.ts'
import { queryAgain } from './database.ts'
import { openGroup } from './group.ts'
import type { QuotaRow } from './quota.ts'
import type { Reservation } from './reservation.ts'
import { loadSql } from './sql.ts'

const reservationCreateSql = loadSql('queries/reservation_create')
const reservationReleaseSql = loadSql('queries/reservation_release')

/** Reservations per transaction, at most. */
const GROUP = 500
/** Transactions at the same time. A tenant has its lane: two at once would wait for each other's counters. */
const LANES = 4
/** Longer, and it is unknown whether the tokens are held; what is held lapses. */
const ANSWER_MS = 2_000
/** After a failure nobody waits for the database for so long. */
const REST_MS = 500

/** A reservation that is asked for. */
export interface Wanted extends Reservation {
  tokens: number
  ttlSeconds: number
}

/** What came of it, with the tightest quota and what is left of it. A reservation made before is granted as it was made then. */
export interface Reserved extends QuotaRow {
  granted: boolean
  reserved_feature: string
  reserved: number
  created_at: Date
  expires_at: Date
  remaining: number
}

/** Makes and gives back reservations. */
export interface Reservations {
  /** Undefined: there is no such tenant. @throws when the database did not answer: then it is unknown whether the tokens are held */
  reserve(wanted: Wanted): Promise<Reserved | undefined>
  /** Gives back what is still held; of all else nothing is said. */
  release(reservation: Reservation): Promise<void>
  /** Resolves when nothing is in hand. */
  idle(): Promise<void>
}

/** Opens the reservations of one process. They are committed in groups, as events are. */
export function openReservations(ctx: Pick<Context, 'database' | 'metrics'>): Reservations {
  const lanes = Array.from({ length: LANES }, () => openGroup(reserveAll, { most: GROUP, restMs: REST_MS }))
  const releasing = openGroup(releaseAll, { most: GROUP, restMs: REST_MS })

  async function reserveAll(group: Wanted[]): Promise<(Reserved | undefined)[]> {
    // The same reservation twice in a group is a retry that overtook its first try: both get the first one's answer.
    const first = new Map<string, Wanted>()
    for (const wanted of group) {
      const key = keyOf(wanted.tenantId, wanted.id)
      if (!first.has(key)) first.set(key, wanted)
    }
    const unique = [...first.values()]
    const rows = await queryAgain<Reserved & { tenant_id: string; id: string }>(
      ctx.database,
      reservationCreateSql,
      [
        unique.map(({ tenantId }) => tenantId),
        unique.map(({ id }) => id),
        unique.map(({ feature }) => feature),
        unique.map(({ tokens }) => tokens),
        unique.map(({ createdAt }) => new Date(createdAt).toISOString()),
        unique.map(({ ttlSeconds }) => ttlSeconds),
      ],
      ANSWER_MS,
    )
    const byKey = new Map(rows.map((row) => [keyOf(row.tenant_id, row.id), row]))
    return group.map(({ tenantId, id }) => byKey.get(keyOf(tenantId, id)))
  }

  async function releaseAll(group: Reservation[]): Promise<void[]> {
    const args = [group.map(({ tenantId }) => tenantId), group.map(({ id }) => id)]
    const [row] = await queryAgain<{ released: number }>(ctx.database, reservationReleaseSql, args, ANSWER_MS)
    ctx.metrics.reservations.inc({ outcome: 'released' }, row?.released ?? 0)
    return group.map(() => undefined)
  }

  async function idle(): Promise<void> {
    while (releasing.isBusy() || lanes.some((lane) => lane.isBusy())) await sleep(5)
  }

  return { reserve: (wanted) => lanes[laneOf(wanted)]!.run(wanted), release: releasing.run, idle }
}

const laneOf = ({ tenantId }: Reservation): number => Number.parseInt(tenantId.slice(-4), 16) % LANES

const keyOf = (tenantId: string, id: string): string => `${tenantId}/${id}`
