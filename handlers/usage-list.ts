import { z } from 'zod'
import { query } from '../lib/database.ts'
import { TenantRef } from '../lib/event.ts'
import { handler, json } from '../lib/handler.ts'
import { Limit, pageOf } from '../lib/page.ts'
import { loadSql } from '../lib/sql.ts'
import { Usage, type UsageRow, toUsage } from '../lib/usage.ts'
import * as examples from '../lib/examples.ts'

const usageListSql = loadSql('queries/usage_list')

/** The usage of all tenants by name, a page at a time: `after` is the `next` of the page before. */
export default handler({
  method: 'GET',
  path: '/api/usage',
  auth: 'read',
  tenancy: 'own',
  summary: 'What every tenant has used in its open billing period',
  answers: { 200: pageOf('tenants', Usage, examples.usage) },
  query: z.strictObject({
    after: TenantRef.optional(),
    limit: Limit,
  }),
  async handle(ctx, { query: { after, limit }, caller }) {
    const now = new Date(ctx.clock()).toISOString()
    const rows = await query<UsageRow>(ctx.database, usageListSql, [after ?? '', limit, now, caller.tenantId ?? null])
    const last = rows.length === limit ? rows.at(-1) : undefined
    return json(200, { tenants: rows.map(toUsage), ...(last && { next: last.name }) })
  },
})
