import { Command } from 'commander'
import type { AuditEntry } from '../lib/admin/audit.ts'
import type { Tenant } from '../lib/admin/tenants.ts'
import { asUuid } from '../lib/schema.ts'
import type { Terminal } from './_command.ts'
import { type Server, ask, askAll } from './_http.ts'
import { wholeNumber } from './_options.ts'
import { type View, printItems, secondOf } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

type Options = ServerOptions & { limit: number }

/** `flagmeter audit` */
export const auditCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('audit')
      .description('Shows who changed which tenant, quota, webhook or key, newest first.')
      .argument('[tenant]', 'only changes to this tenant, by name or id; by id if it was deleted')
      .option('--limit <n>', 'how many at most', wholeNumber, 100),
  )
    .addHelpText(
      'after',
      `
With --json, prints the whole state before and after too.

Example:
  $ flagmeter audit acme-corp`,
    )
    .action(async (tenant: string | undefined, options: Options) => {
      const entries = await withServer(terminal, options, async (server) => {
        const id = tenant === undefined ? undefined : (asUuid(tenant) ?? (await tenantId(server, tenant)))
        return await askAll<AuditEntry>(server, '/api/audit', 'entries', { tenant: id }, options.limit)
      })
      printItems(terminal, options, entries, CHANGES)
    })

const tenantId = async (server: Server, name: string): Promise<string> =>
  (await ask<Tenant>({ server, path: `/api/tenants/${encodeURIComponent(name)}` })).id

const CHANGES: View<AuditEntry> = {
  none: 'no changes',
  head: ['time (UTC)', 'who', 'what', 'tenant', 'of', 'change'],
  row: (entry) => [
    secondOf(entry.createdAt),
    entry.actor,
    entry.action,
    entry.tenantName ?? entry.tenant ?? '',
    subjectOf(entry),
    changesOf(entry),
  ],
}

type Image = NonNullable<AuditEntry['after']>

/** What was changed: the name of a tenant or a key, the URL of a webhook, the limit of a quota. */
function subjectOf({ before, after, subject }: AuditEntry): string {
  const image: Image = after ?? before ?? {}
  const { name, url } = image
  if (typeof name === 'string') return name
  if (typeof url === 'string') return url
  return quotaInWords(image) ?? subject
}

/** A quota, like `50,000 gpt-4-turbo tokens per day, hard`. */
function quotaInWords({ token_limit: limit, feature, period, hard }: Image): string | undefined {
  if (typeof limit !== 'number' || typeof period !== 'string') return undefined
  const tokens = typeof feature === 'string' ? `${feature} tokens` : 'tokens'
  return `${limit.toLocaleString('en-US')} ${tokens} per ${period}, ${hard === true ? 'hard' : 'soft'}`
}

/** The fields that differ, with their values before and after. */
function changesOf({ before, after }: AuditEntry): string {
  if (!before || !after) return ''
  return Object.keys(after)
    .filter((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))
    .map((field) => `${field}: ${JSON.stringify(before[field])} → ${JSON.stringify(after[field])}`)
    .join('; ')
}
