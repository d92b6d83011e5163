import { z } from 'zod'
import { type Database, query } from '../store/database.ts'
import { Instant } from '../schema.ts'
import { loadSql } from '../store/sql.ts'

/** A change of a tenant, a quota, a webhook or a key: who made it, and how it was before and after, without secrets. */
export const AuditEntry = z.object({
  createdAt: Instant,
  /**
   * `key <name> (<id>)`, `cli`, `seed`, `first start`, `auto-create`, `deliver`, or the database user of a change by
   * hand.
   */
  actor: z.string(),
  /** Like `tenant.updated`. */
  action: z.string(),
  subject: z.guid(),
  tenant: z.guid().optional(),
  before: z.record(z.string(), z.unknown()).optional(),
  after: z.record(z.string(), z.unknown()).optional(),
})
export type AuditEntry = z.infer<typeof AuditEntry>

interface AuditRow {
  position: number
  created_at: Date
  actor: string
  action: string
  subject_id: string
  tenant_id: string | null
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
}

/** A page of the audit log, the newest first, of one tenant or of all. */
export async function listAudit(
  database: Database,
  tenantId: string | null,
  before: number | null,
  limit: number,
): Promise<{ entries: AuditEntry[]; rows: AuditRow[] }> {
  const rows = await query<AuditRow>(database, loadSql('queries/audit_list'), [tenantId, before, limit])
  return { entries: rows.map(toEntry), rows }
}

const toEntry = (row: AuditRow): AuditEntry => ({
  createdAt: row.created_at.toISOString(),
  actor: row.actor,
  action: row.action,
  subject: row.subject_id,
  ...(row.tenant_id !== null && { tenant: row.tenant_id }),
  ...(row.before && { before: row.before }),
  ...(row.after && { after: row.after }),
})
