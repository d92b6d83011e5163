import { z } from 'zod'
import type { Context } from '../lib/context.ts'
import { query } from '../lib/store/database.ts'
import { Instant } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import * as examples from '../lib/site/examples.ts'
import { openSharedLook } from '../lib/metrics/shared_look.ts'
import { loadSql } from '../lib/store/sql.ts'
import { inTime } from '../lib/time_out.ts'

const Health = z
  .object({
    status: z
      .enum(['healthy', 'degraded', 'unhealthy', 'draining'])
      .describe('degraded: one of two stores is away; unhealthy: no store takes events; draining: about to stop.'),
    timestamp: Instant,
    services: z.object({
      database: z.enum(['up', 'down']),
      redis: z.enum(['up', 'down', 'off']).describe('off: there is none by design.'),
    }),
  })
  .meta({ id: 'Health', description: 'Whether events can be taken now.', examples: [examples.health] })
const TIMEOUT_MS = 2_000
/** No key is needed, so however many ask, the stores are checked four times a second. */
const FRESH_MS = 250

const lookAtStores = openSharedLook(
  async ({ database, valkey }: Context) =>
    await Promise.all([
      answers(query(database, loadSql('queries/health_check'), [], TIMEOUT_MS)),
      valkey ? answers(valkey.ping()) : ('off' as const),
    ]),
  FRESH_MS,
)

/**
 * Whether events can be taken now: 200 while one way in is open, 503 when none is or when the process is about to stop.
 */
export default handler({
  method: 'GET',
  path: '/api/health',
  operationId: 'checkHealth',
  tag: 'Service',
  auth: 'none',
  summary: 'Whether events can be taken now',
  answers: {
    200: Health.describe('Events can be taken now.'),
    503: Health.meta({ description: 'Events cannot be taken now.', examples: [examples.unhealthy] }),
  },
  async handle(ctx) {
    const [database, redis] = await lookAtStores(ctx)
    const status = ctx.stopping.aborted ? 'draining' : statusOf(database, redis)
    const isReady = status === 'healthy' || status === 'degraded'
    const timestamp = new Date(ctx.clock()).toISOString()
    return json(
      isReady ? 200 : 503,
      { status, timestamp, services: { database, redis } },
      { 'cache-control': 'no-store', ...(!isReady && { 'retry-after': '1' }) },
    )
  },
})

function statusOf(database: 'up' | 'down', redis: 'up' | 'down' | 'off'): 'healthy' | 'degraded' | 'unhealthy' {
  if (database === 'up' && redis !== 'down') return 'healthy'
  return database === 'up' || redis === 'up' ? 'degraded' : 'unhealthy'
}

const answers = (call: Promise<unknown>): Promise<'up' | 'down'> =>
  inTime(call, TIMEOUT_MS, () => new Error('late')).then(
    () => 'up',
    () => 'down',
  )
