import { z } from 'zod'
import { handler, json } from '../lib/http/endpoint.ts'

/** Answers while the process does. Touches no dependency: a restart would not bring one back. */
export default handler({
  method: 'GET',
  path: '/api/health/live',
  auth: 'none',
  summary: 'Whether the process answers',
  answers: { 200: z.object({ status: z.literal('alive') }) },
  handle: () => json(200, { status: 'alive' }),
})
