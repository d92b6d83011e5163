import { z } from 'zod'
import { handler, json } from '../lib/handler.ts'

/** Answers while the process does. Touches no dependency: a restart would not bring one back. */
export default handler({
  method: 'GET',
  path: '/api/health/live',
  auth: 'none',
  query: z.object({}),
  handle: () => json(200, { status: 'alive' }),
})
