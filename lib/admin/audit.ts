import { z } from 'zod'
import type { Database } from '../store/connection.ts'
import { type Listed, list } from '../store/document.ts'
import { Instant } from '../schema.ts'
import * as examples from '../site/examples.ts'

/** A change of a tenant, a quota, a webhook or a key: who made it, and how it was before and after, without secrets. */
export const AuditEntry = z
  .object({
    createdAt: Instant,
    actor: z
      .string()
      .describe(
        'Who: `key <name> (<id>)`, `cli`, `seed`, `first start`, `auto-create`, `deliver`, ' +
          'or the database user of a change by hand.',
      ),
    action: z.string().describe('What, like `tenant.updated`.'),
    subject: z.guid().describe('The id of what was changed.'),
    tenant: z.guid().describe('The id of its tenant.').optional(),
    tenantName: z.string().describe('Its name now. Absent when the tenant is gone.').optional(),
    before: z.record(z.string(), z.unknown()).describe('The columns before the change, without secrets.').optional(),
    after: z.record(z.string(), z.unknown()).describe('The columns after the change, without secrets.').optional(),
  })
  .meta({
    id: 'AuditEntry',
    description: 'A change of a tenant, a quota, a webhook or a key.',
    examples: [examples.auditEntry],
  })
export type AuditEntry = z.infer<typeof AuditEntry>

/** A page of the audit log, the newest first, of one tenant or of all. */
export const listAudit = (
  database: Database,
  tenantId: string | null,
  before: number | null,
  limit: number,
): Promise<Listed<AuditEntry>> => list(database, 'audit_list', [tenantId, before, limit])
