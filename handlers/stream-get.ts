import { z } from 'zod'
import * as examples from '../lib/site/examples.ts'
import { handler } from '../lib/http/endpoint.ts'

/** What changes, as it changes: server-sent events (HTML standard, section 9.2). */
export default handler({
  method: 'GET',
  path: '/api/stream',
  operationId: 'streamChanges',
  tag: 'Usage',
  auth: 'read',
  tenancy: 'own',
  summary: 'What changes, as server-sent events',
  answers: {
    200: z
      .string()
      .describe(
        'Events: `usage` (rows of GET /api/usage that changed, and the ids of tenants that are gone), ' +
          '`totals` (once a second, for keys of no tenant; for others `beat`, which holds nothing), ' +
          '`changed` (tenants of which something else changed), `reload` (changes may have been missed).',
      )
      .meta({ contentType: 'text/event-stream', examples: [examples.frame] }),
  },
  handle: (ctx, { caller }) => ({
    status: 200,
    stream: ctx.feed.watch(caller),
    // Buffering proxies would hold the events back (nginx).
    headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
  }),
})
