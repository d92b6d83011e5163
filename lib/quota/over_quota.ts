import type { Event } from '../events/event.ts'
import type { Counter } from '../events/record.ts'
import type { Valkey } from '../store/valkey.ts'

/** What the worker knows reaches the servers through Valkey, and is forgotten when it is not said again. */
const TTL_SECONDS = 10

type Counted = Pick<Counter, 'tenantId' | 'feature' | 'model' | 'user'>

/** JSON, since names may hold any character. */
const noteKey = (queueName: string, { tenantId, feature, model, user }: Counted): string =>
  `${queueName}:over-quota:${tenantId}:${JSON.stringify([feature, model, user])}`

const isBeyond = ({ hard, used, tokenLimit }: Counter): boolean => hard && used > tokenLimit

/** Every kind of counter that may count an event. */
function countersOf({ tenantId, feature, detail }: Event): Counted[] {
  const [model, user] = [detail?.model ?? null, detail?.user ?? null]
  const values = (value: string | null): (string | null)[] => (value === null ? [null] : [null, value])
  return values(feature).flatMap((ofFeature) =>
    values(model).flatMap((ofModel) =>
      values(user).map((ofUser) => ({ tenantId, feature: ofFeature, model: ofModel, user: ofUser })),
    ),
  )
}

/** Whether one of these counters, which the events have moved, is beyond its hard limit and counts the event. */
export function isOverAny(counters: Counter[]): (event: Event) => boolean {
  const over = counters.filter(isBeyond)
  if (over.length === 0) return () => false
  return ({ tenantId, feature, detail, createdAt }) =>
    over.some(
      (counter) =>
        counter.tenantId === tenantId &&
        (counter.feature ?? feature) === feature &&
        (counter.model === null || counter.model === detail?.model) &&
        (counter.user === null || counter.user === detail?.user) &&
        createdAt >= counter.periodStart.getTime() &&
        createdAt < counter.periodEnd.getTime(),
    )
}

/** Notes which hard limits of open periods are exceeded, for `findOver`. A cache: nothing depends on its success. */
export function noteOver(valkey: Valkey, queueName: string, counters: Counter[], now: number): void {
  const notes = new Map<string, boolean>()
  for (const counter of counters) {
    if (!counter.hard || counter.periodEnd.getTime() <= now) continue
    const key = noteKey(queueName, counter)
    notes.set(key, notes.get(key) === true || isBeyond(counter))
  }
  for (const [key, isOver] of notes) {
    const noted = isOver ? valkey.set(key, '1', 'EX', TTL_SECONDS) : valkey.del(key)
    noted.catch(() => {})
  }
}

/** Asks which of the events are counted by what is noted as beyond a hard limit: one round trip for all. */
export async function findOver(valkey: Valkey, queueName: string, events: Event[]): Promise<(event: Event) => boolean> {
  const keys = new Set<string>()
  for (const event of events) for (const counter of countersOf(event)) keys.add(noteKey(queueName, counter))
  const asked = [...keys]
  const notes = await valkey.mget(asked).catch(() => [])
  const over = new Set(asked.filter((_, i) => notes[i]))
  if (over.size === 0) return () => false
  return (event) => countersOf(event).some((counter) => over.has(noteKey(queueName, counter)))
}
