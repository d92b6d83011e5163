import { z } from 'zod'
import type { Caller } from '../auth/caller.ts'
import type { Logger } from 'pino'
import type { RateLimits } from '../auth/rate_limits.ts'
import type { Config } from '../config.ts'
import { logSome } from '../log_some.ts'
import { isTooSlow, isUnavailable } from '../store/outage.ts'
import { type Event, EventInput } from './event.ts'
import type { Accepted, Intake, Requester } from './intake.ts'
import { OverQuota } from './batch_answer.ts'
import { Problem, invalidInput } from '../problem.ts'
import { ID_REUSED, type Poison } from './record.ts'
import * as examples from '../site/examples.ts'

interface Needs {
  config: Config
  log: Logger
  limits: RateLimits
  intake: Intake
  clock: () => number
}

/** The answer for one accepted event. */
export const EventAccepted = z
  .object({
    success: z.literal(true),
    eventId: z.guid(),
    overQuota: OverQuota.optional(),
  })
  .meta({ id: 'EventAccepted', description: 'The event is durable.', examples: [examples.accepted] })
export type EventAccepted = z.infer<typeof EventAccepted>

/** The request's Idempotency-Key. @throws Problem invalid_request */
export function idempotencyKey(header: (name: string) => string | undefined): string | undefined {
  const key = header('idempotency-key')
  if (key === undefined || EventInput.shape.id.safeParse(key).success) return key
  const detail = 'must be 1 to 200 printable characters long'
  throw new Problem('invalid_request', invalidInput([{ field: 'Idempotency-Key', detail }]))
}

/** When an event may have happened: not too long ago, and not ahead. */
export function timeMistake({ config, clock }: Pick<Needs, 'config' | 'clock'>, createdAt: number): string | undefined {
  const { eventMaxAgeMs, eventMaxAheadMs } = config
  const age = clock() - createdAt
  if (age <= eventMaxAgeMs && -age <= eventMaxAheadMs) return undefined
  const [days, seconds] = [eventMaxAgeMs / 86_400_000, eventMaxAheadMs / 1000]
  return `must be at most ${days} days in the past and ${seconds} seconds in the future`
}

/** Of a call, who sends events, and in which request. */
export interface Sender extends Requester {
  caller: Caller
}

/** Takes the event from the limits and makes it durable. @throws Problem */
export async function ingest(
  ctx: Pick<Needs, 'limits' | 'intake' | 'log'>,
  sender: Sender,
  event: Event,
): Promise<EventAccepted> {
  const ofKey = ctx.limits.take('events', sender.caller.keyId, 1)
  if (ofKey) await ofKey
  const ofTenant = ctx.limits.take('events', event.tenantId, 1)
  if (ofTenant) await ofTenant
  const { poison, isOver } = await store(ctx, [event], sender)
  const rejected = poison.find((other) => other.event === event)
  if (rejected) throw rejection(rejected)
  return { success: true, eventId: event.id, ...(isOver(event) && { overQuota: true as const }) }
}

/** The problem of an event that PostgreSQL will never take. */
export const rejection = ({ sqlstate, reason }: Poison): Problem =>
  new Problem(sqlstate === ID_REUSED ? 'idempotency_key_reused' : 'event_rejected', { detail: reason })

/** Waits until the events are durable. Only when both stores are away: 503, with ids that make a retry count once. */
export function store(ctx: Pick<Needs, 'intake' | 'log'>, events: Event[], sender: Requester): Promise<Accepted> {
  return ctx.intake.accept(events, sender).catch((error: unknown) => {
    if (!isUnavailable(error) && !isTooSlow(error)) throw error
    logSome(ctx.log, 'warn', 'no store took the events', { reason: (error as Error).message }, {})
    const [only] = events
    throw new Problem(
      'unavailable',
      {
        detail: 'no store answered, so it is unknown whether the event counts; send it again with the same id',
        ...(only && events.length === 1 && { eventId: only.id }),
      },
      { 'retry-after': '1' },
    )
  })
}
