import { z } from 'zod'
import { query } from '../lib/store/database.ts'
import { Instant, TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { loadSql } from '../lib/store/sql.ts'
import { toDocument } from '../lib/store/document.ts'
import { namesAndIds } from '../lib/tenants/tenant_cache.ts'
import * as examples from '../lib/site/examples.ts'

const Trend = z
  .object({
    tenant: z.guid(),
    from: Instant.describe('Where the first step starts.'),
    stepSeconds: z.int(),
    totalTokens: z.array(z.int()).describe('Tokens of each step, the oldest first.'),
  })
  .meta({
    id: 'UsageTrend',
    description: 'How the open billing period of a tenant went so far.',
    examples: [examples.trend],
  })

const Trends = z.object({ trends: z.array(Trend) }).meta({
  id: 'UsageTrends',
  description: 'The trends of the tenants that exist.',
  examples: [{ trends: [examples.trend] }],
})

const MAX_TENANTS = 100

interface Row {
  tenant: string
  from: Date
  step_seconds: number
  total_tokens: number[]
}

/**
 * How the open billing period went so far, of many tenants at once: tokens per step, at most 128 steps of whole hours.
 */
export default handler({
  method: 'GET',
  path: '/api/trends',
  operationId: 'listTrends',
  tag: 'Usage',
  auth: 'read',
  tenancy: 'own',
  isReport: true,
  summary: 'The open billing period of many tenants in a few steps; those that there are not are left out',
  answers: { 200: Trends },
  query: z.strictObject({
    tenants: z
      .string()
      .transform((list) => list.split(',', MAX_TENANTS + 1))
      .pipe(z.array(TenantRef).max(MAX_TENANTS, `must hold at most ${MAX_TENANTS} tenants`))
      .describe('Names or ids, separated by commas, at most 100.'),
  }),
  async handle(ctx, { query: { tenants }, caller }) {
    const { names, ids } = namesAndIds(tenants)
    const args = [names, ids, new Date(ctx.clock()).toISOString(), caller.tenantId ?? null]
    const rows = await query<Row>(ctx.database, loadSql('queries/trend_list'), args)
    return json(200, { trends: rows.map(toDocument) })
  },
})
