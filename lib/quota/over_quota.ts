import type { Event } from '../events/event.ts'
import type { Counter } from '../events/record.ts'
import type { Valkey } from '../store/valkey.ts'

/** What the worker knows reaches the servers through Valkey, and is forgotten when it is not said again. */
const TTL_SECONDS = 10

const noteKey = (queueName: string, tenantId: string, feature: string | null): string =>
  `${queueName}:over-quota:${tenantId}:${feature ?? ''}`

const isBeyond = ({ hard, totalTokens, tokenLimit }: Counter): boolean => hard && totalTokens > tokenLimit

/** Whether one of these counters, which the events have moved, is beyond its hard limit and counts the event. */
export function isOverAny(counters: Counter[]): (event: Event) => boolean {
  const over = counters.filter(isBeyond)
  if (over.length === 0) return () => false
  return ({ tenantId, feature, createdAt }) =>
    over.some(
      (counter) =>
        counter.tenantId === tenantId &&
        (counter.feature ?? feature) === feature &&
        createdAt >= counter.periodStart.getTime() &&
        createdAt < counter.periodEnd.getTime(),
    )
}

/** Notes which hard limits of open periods are exceeded, for `findOver`. A cache: nothing depends on its success. */
export function noteOver(valkey: Valkey, queueName: string, counters: Counter[], now: number): void {
  const notes = new Map<string, boolean>()
  for (const counter of counters) {
    if (!counter.hard || counter.periodEnd.getTime() <= now) continue
    const key = noteKey(queueName, counter.tenantId, counter.feature)
    notes.set(key, notes.get(key) === true || isBeyond(counter))
  }
  for (const [key, isOver] of notes) {
    const noted = isOver ? valkey.set(key, '1', 'EX', TTL_SECONDS) : valkey.del(key)
    noted.catch(() => {})
  }
}

/** Asks which of the events' tenants and features are noted as beyond a hard limit: one round trip for all. */
export async function findOver(valkey: Valkey, queueName: string, events: Event[]): Promise<(event: Event) => boolean> {
  const keys = new Set<string>()
  for (const { tenantId, feature } of events) {
    keys.add(noteKey(queueName, tenantId, null))
    keys.add(noteKey(queueName, tenantId, feature))
  }
  const asked = [...keys]
  const notes = await valkey.mget(asked).catch(() => [])
  const over = new Set(asked.filter((_, i) => notes[i]))
  if (over.size === 0) return () => false
  return ({ tenantId, feature }) =>
    over.has(noteKey(queueName, tenantId, null)) || over.has(noteKey(queueName, tenantId, feature))
}
