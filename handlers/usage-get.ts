import { z } from 'zod'
import { query } from '../lib/database.ts'
import { TenantRef, asUuid } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { type QuotaRow, QuotaUsage, toQuotaUsage } from '../lib/quota.ts'
import { Problem } from '../lib/problem.ts'
import { loadSql } from '../lib/sql.ts'
import { Usage, type UsageRow, toUsage } from '../lib/usage.ts'
import * as examples from '../lib/examples.ts'

const usageGetSql = loadSql('queries/usage_get')

const FeatureUsage = z.object({ feature: z.string(), totalTokens: z.int(), eventCount: z.int() })

interface Row extends UsageRow {
  features: z.infer<typeof FeatureUsage>[]
  quotas: QuotaRow[]
}

/** What a tenant has used in its open billing period, at most 1,000 features, the largest first, and of each of its quotas. */
export default handler({
  method: 'GET',
  path: '/api/usage/:tenant',
  auth: 'read',
  tenancy: 'named',
  summary: 'What a tenant has used in its open billing period',
  answers: {
    200: Usage.extend({ features: z.array(FeatureUsage), quotas: z.array(QuotaUsage) }).meta({
      examples: [
        { ...examples.usage, features: examples.features, quotas: [examples.monthlyUsage, examples.quotaUsage] },
      ],
    }),
  },
  problems: ['tenant_not_found'],
  params: z.object({ tenant: TenantRef }),
  query: z.strictObject({}),
  async handle(ctx, { params: { tenant } }) {
    const now = new Date(ctx.clock()).toISOString()
    const [row] = await query<Row>(ctx.database, usageGetSql, [tenant, asUuid(tenant), now])
    if (!row) throw new Problem('tenant_not_found', { detail: 'tenant does not exist' })
    return json(200, { ...toUsage(row), features: row.features, quotas: row.quotas.map(toQuotaUsage) })
  },
})
