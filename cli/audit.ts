import { Command } from 'commander'
import { type AuditEntry, listAudit } from '../lib/admin/audit.ts'
import { asUuid } from '../lib/schema.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import { type Terminal, printJson, printTable, wholeNumber } from './_command.ts'
import { withDatabase } from './_database.ts'

/** `flagmeter audit` */
export const auditCommand = (terminal: Terminal): Command =>
  new Command('audit')
    .description('Shows who changed which tenant, quota, webhook or key, the newest first.')
    .argument('[tenant]', 'only what concerns this tenant, by name or id; a deleted one by its id')
    .option('--limit <n>', 'how many at most', wholeNumber, 100)
    .option('--json', 'print JSON, with the state before and after')
    .addHelpText('after', '\nExample:\n  $ flagmeter audit acme-corp')
    .action(async (tenant: string | undefined, { limit, json }: { limit: number; json?: boolean }) => {
      const entries = await withDatabase(terminal, async (database) => {
        const id = tenant === undefined ? null : (asUuid(tenant) ?? (await getTenant(database, tenant)).id)
        return (await listAudit(database, id, null, limit)).items
      })
      if (json) return printJson(terminal, entries)
      if (entries.length === 0) return void terminal.out.write('no changes\n')
      const rows = entries.map((entry) => [
        entry.createdAt.slice(0, 19).replace('T', ' '),
        entry.actor,
        entry.action,
        nameOf(entry),
        changes(entry),
      ])
      printTable(terminal, ['time (UTC)', 'who', 'what', 'of', 'change'], rows)
    })

/** The name of a tenant or a key, the URL of a webhook. */
function nameOf({ before, after }: AuditEntry): string {
  const { name, url } = after ?? before ?? {}
  return typeof name === 'string' ? name : typeof url === 'string' ? url : ''
}

/** The fields that differ, with their values before and after. */
function changes({ before, after }: AuditEntry): string {
  if (!before || !after) return ''
  return Object.keys(after)
    .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
    .map((field) => `${field}: ${JSON.stringify(before[field])} → ${JSON.stringify(after[field])}`)
    .join('; ')
}
