import { z } from 'zod'
import { query } from '../lib/database.ts'
import { Instant } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { loadSql } from '../lib/sql.ts'

const healthCheckSql = loadSql('queries/health_check')
const Health = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy']),
  timestamp: Instant,
  services: z.object({ database: z.enum(['up', 'down']), redis: z.enum(['up', 'down', 'off']) }),
})
const TIMEOUT_MS = 2_000

/** Whether events can be taken now: 200 while one way in is open, 503 when none is. */
export default handler({
  method: 'GET',
  path: '/api/health',
  auth: 'none',
  summary: 'Whether events can be taken now',
  answers: { 200: Health, 503: Health },
  async handle(ctx) {
    const [database, redis] = await Promise.all([
      answers(query(ctx.database, healthCheckSql)),
      ctx.valkey ? answers(ctx.valkey.ping()) : 'off',
    ])
    const status =
      database === 'up' && redis !== 'down' ? 'healthy' : database === 'up' || redis === 'up' ? 'degraded' : 'unhealthy'
    const timestamp = new Date(ctx.clock()).toISOString()
    return json(
      status === 'unhealthy' ? 503 : 200,
      { status, timestamp, services: { database, redis } },
      headers(status),
    )
  },
})

const headers = (status: string): Record<string, string> =>
  status === 'unhealthy' ? { 'cache-control': 'no-store', 'retry-after': '1' } : { 'cache-control': 'no-store' }

async function answers(call: Promise<unknown>): Promise<'up' | 'down'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'down'>((resolve) => (timer = setTimeout(() => resolve('down'), TIMEOUT_MS)))
  const outcome = call.then(
    () => 'up' as const,
    () => 'down' as const,
  )
  return await Promise.race([outcome, late]).finally(() => clearTimeout(timer))
}
