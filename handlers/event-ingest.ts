import { z } from 'zod'
import { findOrCreate, findOrCreateTenant } from '../lib/tenants/auto_create.ts'
import {
  BatchAnswer,
  type BatchAnswered,
  Refusal,
  isTaken,
  type Result,
  batchAnswer,
} from '../lib/events/batch_answer.ts'
import { type Caller, otherTenant, otherUser, tenantRef } from '../lib/auth/caller.ts'
import type { Context } from '../lib/context.ts'
import { isUnavailable } from '../lib/store/outage.ts'
import { type Event, EventInput } from '../lib/events/event.ts'
import { toCounted } from '../lib/events/event_detail.ts'
import { eventId, placeId } from '../lib/events/event_id.ts'
import { asUuid, fieldErrors } from '../lib/schema.ts'
import type { JsonAnswer } from '../lib/http/answer_types.ts'
import { InvalidJson, handler, json } from '../lib/http/endpoint.ts'
import {
  EventAccepted,
  type Sender,
  idempotencyKey,
  ingest,
  rejection,
  store,
  timeMistake,
} from '../lib/events/ingest.ts'
import type { Accepted } from '../lib/events/intake.ts'
import { findNearest } from '../lib/tenants/nearest.ts'
import { unknownTenant } from '../lib/tenants/unknown_tenant.ts'
import { Problem, type ProblemCode, type ProblemExtra, invalidInput, problemDocument } from '../lib/problem.ts'
import { inTurns, nextTurn } from '../lib/http/turns.ts'
import * as examples from '../lib/site/examples.ts'

const MAX_BATCH_EVENTS = 10_000
const MAX_BODY_BYTES = 8 * 1024 * 1024
/** Worked on at once: what others bring comes in between. It is also what one write takes best. */
const SLICE_EVENTS = 1_000
const NOTHING: Accepted = { poison: [], isOver: () => false }

/** Accepts one event, or a batch whose events succeed or fail independently. `201` means durable. */
export default handler({
  method: 'POST',
  path: '/api/events',
  operationId: 'reportEvents',
  tag: 'Events',
  auth: 'ingest',
  tenancy: 'own',
  isForUsers: true,
  summary: 'Reports what was used: one event, or up to 10,000',
  answers: {
    201: z
      .union([EventAccepted, BatchAnswer])
      .describe('The event, or every event of the batch, is durable.')
      .meta({ examples: [examples.accepted, examples.batch] }),
    207: BatchAnswer.meta({
      description: 'Some events were refused: each result says whether its event is durable.',
      examples: [examples.mixedBatch],
    }),
  },
  takesIdempotencyKey: true,
  problems: [
    'tenant_not_found',
    'batch_too_large',
    'timestamp_out_of_range',
    'idempotency_key_reused',
    'event_rejected',
  ],
  documentedBody: z
    .union([EventInput, z.array(EventInput).min(1).max(MAX_BATCH_EVENTS)])
    .meta({ examples: [examples.event, examples.fullEvent, [examples.event]] }),
  body: z.unknown(),
  maxBodyBytes: MAX_BODY_BYTES,
  maxEvents: MAX_BATCH_EVENTS,
  handle(ctx, call): Promise<JsonAnswer<201, EventAccepted> | BatchAnswered> {
    const { body } = call
    const key = idempotencyKey(call.header)
    return Array.isArray(body) ? ingestBatch(ctx, call, body, key) : ingestOne(ctx, call, body, key)
  },
})

async function ingestOne(
  ctx: Context,
  sender: Sender,
  body: unknown,
  key: string | undefined,
): Promise<JsonAnswer<201, EventAccepted>> {
  const input = parse(sender.caller, body)
  if (input instanceof Refusal) throw asProblem(input)
  if (key !== undefined && input.id !== undefined && key !== input.id) {
    throw new Problem(
      'invalid_request',
      invalidInput([{ field: 'id', detail: 'must equal the Idempotency-Key, or be left out' }]),
    )
  }
  const tenantId = ctx.tenants.known(input.tenant) ?? (await findOrCreateTenant(ctx, sender.caller, input.tenant))
  const event = accept(ctx, input, tenantId, eventId(tenantId, input.id ?? key))
  if (event instanceof Refusal) throw asProblem(event)
  return json(201, await ingest(ctx, sender, event))
}

async function ingestBatch(
  ctx: Context,
  sender: Sender,
  body: unknown[],
  key: string | undefined,
): Promise<BatchAnswered> {
  if (body.length === 0) throw new Problem('invalid_request', { detail: 'the batch is empty; send at least one event' })
  await ctx.limits.take('events', sender.caller.keyId, body.length)
  const results: Result[] = []
  while (body.length > 0) {
    if (results.length > 0) await nextTurn()
    const slice = body.splice(0, SLICE_EVENTS)
    try {
      results.push(...(await ingestSlice(ctx, sender, slice, results.length, key)))
    } catch (error) {
      const isOutage = error instanceof Problem ? error.code === 'unavailable' : isUnavailable(error)
      if (results.length === 0 || !isOutage) throw error
      // Those before are durable, and their client must know: without ids, sending them again would count them twice.
      const problem = problemDocument('unavailable', {
        detail: 'it is unknown whether this event counts; send it again with the same id',
      })
      for (const _ of [...slice, ...body.splice(0)]) results.push(new Refusal(problem))
    }
  }
  if (results.length > SLICE_EVENTS) await nextTurn()
  return batchAnswer(results)
}

async function ingestSlice(
  ctx: Context,
  sender: Sender,
  values: unknown[],
  from: number,
  key: string | undefined,
): Promise<Result[]> {
  const { caller } = sender
  const inputs = await inTurns(values, (value) => parse(caller, value))
  const named = inputs.filter(isTaken).map(({ tenant }) => tenant)
  const { ids, refusal } = await findOrCreate(ctx, caller, named)
  const unmade = refusal && toRefusal(refusal)
  const missing = named.filter((ref) => !ids.has(ref))
  const nearest = await findNearest(ctx, caller, unmade ? [] : missing)
  // An event without an id takes one from the batch's key and its place, so that sending the batch again is harmless.
  const outcomes = inputs.map((input, i) => {
    if (input instanceof Refusal) return input
    const tenantId = ids.get(input.tenant)
    if (tenantId === undefined) {
      if (unmade && asUuid(input.tenant) === null) return unmade
      return refuse('tenant_not_found', unknownTenant(input.tenant, nearest.get(input.tenant)))
    }
    return accept(
      ctx,
      input,
      tenantId,
      input.id === undefined && key !== undefined ? placeId(tenantId, key, from + i) : eventId(tenantId, input.id),
    )
  })
  await takeOfTenants(ctx, outcomes)
  const events = outcomes.filter(isTaken)
  const { poison, isOver } = events.length === 0 ? NOTHING : await store(ctx, events, sender)
  const rejected = new Map(poison.map((one) => [one.event, one]))
  return outcomes.map((outcome) => {
    if (outcome instanceof Refusal) return outcome
    const reason = rejected.get(outcome)
    if (reason !== undefined) return toRefusal(rejection(reason))
    return { eventId: outcome.id, ...(isOver(outcome) && { overQuota: true }) }
  })
}

function parse(caller: Caller, value: unknown): EventInput | Refusal {
  if (value instanceof InvalidJson) return refuse('invalid_json', { detail: value.detail })
  const parsed = EventInput.safeParse(fillTenant(caller, value))
  if (!parsed.success) return refuse('invalid_request', invalidInput(fieldErrors(parsed.error)))
  const tenant = tenantRef(caller, parsed.data.tenant)
  if (tenant === undefined) return toRefusal(otherTenant())
  if (caller.user === undefined) return Object.assign(parsed.data, { tenant })
  if ((parsed.data.user ?? caller.user) !== caller.user) return toRefusal(otherUser())
  return Object.assign(parsed.data, { tenant, user: caller.user })
}

/** A tenant's own key may leave the tenant out. */
function fillTenant({ tenantId }: Caller, value: unknown): unknown {
  const fill = tenantId !== undefined && typeof value === 'object' && value !== null && !('tenant' in value)
  return fill ? { ...value, tenant: tenantId } : value
}

/** Refuses the events of a tenant that is over its limit, each in its place; the others' events continue. */
async function takeOfTenants(ctx: Context, outcomes: (Event | Refusal)[]): Promise<void> {
  const places = new Map<string, number[]>()
  for (const [i, outcome] of outcomes.entries()) {
    if (outcome instanceof Refusal) continue
    const known = places.get(outcome.tenantId)
    if (known) known.push(i)
    else places.set(outcome.tenantId, [i])
  }
  for (const [tenantId, own] of places) {
    try {
      await ctx.limits.take('events', tenantId, own.length)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      for (const i of own) outcomes[i] = toRefusal(error)
    }
  }
}

/** Turns checked input into an event, or says what its fields mean wrongly together. */
function accept(ctx: Context, input: EventInput, tenantId: string, id: string): Event | Refusal {
  const now = ctx.clock()
  const createdAt = input.timestamp === undefined ? now : Date.parse(input.timestamp)
  const detail = timeMistake(ctx, createdAt)
  if (detail !== undefined) return refuse('timestamp_out_of_range', invalidInput([{ field: 'timestamp', detail }]))
  const counted = toCounted(input, ctx.config.dimensions)
  if (Array.isArray(counted)) return refuse('invalid_request', invalidInput(counted))
  return { tenantId, id, feature: input.feature, ...counted, createdAt, receivedAt: now }
}

const refuse = (code: ProblemCode, extra: ProblemExtra): Refusal => new Refusal(problemDocument(code, extra))
const toRefusal = ({ code, extra }: Problem): Refusal => refuse(code, extra)

function asProblem({ problem: { code, type: _type, title: _title, status: _status, ...extra } }: Refusal): Problem {
  return new Problem(code, extra)
}
