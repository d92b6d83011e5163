import { z } from 'zod'
import * as examples from '../site/examples.ts'
import type { JsonAnswer } from '../http/answer_types.ts'
import { json } from '../http/endpoint.ts'
import { ProblemDocument, problemDocument } from '../problem.ts'
import { inTurns } from '../http/turns.ts'

/**
 * So much of an answer, in bytes, says what is wrong with events: 10,000 problems without their details take 1.9 MB at
 * most.
 */
const ANSWER_BYTES = 1_950_000

export const OverQuota = z
  .literal(true)
  .describe('The tenant is beyond a hard quota. Absent when it is not, or when that is not known.')

const Recorded = z
  .object({ eventId: z.guid(), overQuota: OverQuota.optional() })
  .meta({ id: 'EventRecorded', description: 'The event is durable.' })
const Refused = z
  .object({ problem: ProblemDocument })
  .meta({ id: 'EventRefused', description: 'The event was not recorded.' })

/** An event, or what was to become one, that is not recorded. */
export class Refusal {
  problem: ProblemDocument
  constructor(problem: ProblemDocument) {
    this.problem = problem
  }
}

/** Tells events from refusals. */
export const isTaken = <Taken>(outcome: Taken | Refusal): outcome is Taken => !(outcome instanceof Refusal)

/** What became of one event of a batch. */
export type Result = { eventId: string; overQuota?: true } | Refusal

/** The answer to a batch: a result per event, in order. */
export const BatchAnswer = z
  .object({
    success: z.boolean(),
    accepted: z.int().describe('How many events are durable.'),
    rejected: z.int().describe('How many were not recorded.'),
    withoutDetails: z
      .int()
      .describe('How many problems, the last ones, lack `detail` and `errors`: the answer would be too long.')
      .optional(),
    results: z.array(z.union([Recorded, Refused])).describe('One for each event, in their order.'),
  })
  .meta({ id: 'BatchResult', description: 'What became of each event of a batch.', examples: [examples.batch] })
type BatchAnswer = z.infer<typeof BatchAnswer>
export type BatchAnswered = JsonAnswer<201, BatchAnswer> | JsonAnswer<207, BatchAnswer>

/** 201 when all events were taken, 207 when not. It is bounded: how much text a mistake takes is up to who makes it. */
export async function batchAnswer(results: Result[]): Promise<BatchAnswered> {
  const problems = results.filter((result) => result instanceof Refusal)
  const rejected = problems.length
  const accepted = results.length - rejected
  if (rejected === 0) return json(201, { success: true, accepted, rejected, results })
  const bare = new Map<string, { document: ProblemDocument; bytes: number }>()
  let room = ANSWER_BYTES - accepted * 75
  for (const { problem } of problems) {
    if (!bare.has(problem.code)) {
      const document = problemDocument(problem.code)
      bare.set(problem.code, { document, bytes: JSON.stringify({ problem: document }).length + 1 })
    }
    room -= bare.get(problem.code)!.bytes
  }
  let withoutDetails = 0
  await inTurns(problems, (result) => {
    const { document, bytes } = bare.get(result.problem.code)!
    if (room > 0) room -= Buffer.byteLength(JSON.stringify(result)) + 1 - bytes
    if (room > 0) return
    result.problem = document
    withoutDetails++
  })
  return json(207, { success: false, accepted, rejected, ...(withoutDetails > 0 && { withoutDetails }), results })
}
