import { z } from 'zod'
import * as examples from '../site/examples.ts'
import { type Answer, json } from '../http/endpoint.ts'
import { ProblemDocument, problemDocument } from '../problem.ts'
import { inTurns } from '../http/turns.ts'

/**
 * So much of an answer, in bytes, says what is wrong with events: 10,000 problems without their details take 1.9 MB at
 * most.
 */
const ANSWER_BYTES = 1_950_000

/** What became of one event of a batch. */
const Result = z.union([
  z.object({ eventId: z.guid(), overQuota: z.literal(true).optional() }),
  z.object({ problem: ProblemDocument }),
])
export type Result = { eventId: string; overQuota?: true } | { problem: ProblemDocument }

/** The answer to a batch: a result per event, in order. */
export const BatchAnswer = z
  .object({
    success: z.boolean(),
    accepted: z.int(),
    rejected: z.int(),
    /** So many problems, the last ones, are without `detail` and `errors`: with them, the answer would be too long. */
    withoutDetails: z.int().optional(),
    results: z.array(Result),
  })
  .meta({ examples: [examples.batch] })

/** 201 when all events were taken, 207 when not. It is bounded: how much text a mistake takes is up to who makes it. */
export async function batchAnswer(results: Result[]): Promise<Answer> {
  const problems = results.filter((result) => 'problem' in result)
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
