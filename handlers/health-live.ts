import { z } from 'zod'
import { handler, json } from '../lib/http/endpoint.ts'

/** Answers while the process does. Touches no dependency: a restart would not bring one back. */
export default handler({
  method: 'GET',
  path: '/api/health/live',
  operationId: 'checkLiveness',
  tag: 'Service',
  auth: 'none',
  summary: 'Whether the process answers',
  answers: {
    200: z
      .object({ status: z.literal('alive') })
      .meta({ id: 'Liveness', description: 'The process answers.', examples: [{ status: 'alive' }] }),
  },
  handle: () => json(200, { status: 'alive' }),
})
