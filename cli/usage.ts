import { Command } from 'commander'
import type { QuotaUsage } from '../lib/quota/quota.ts'
import type { OverviewUsage } from '../lib/usage/overview.ts'
import type { Usage } from '../lib/usage/usage.ts'
import { type Terminal, printJson, printTable, serverOf } from './_command.ts'
import { ask, askAll } from './_http.ts'

interface TenantUsage extends Usage {
  features: { feature: string; totalTokens: number; eventCount: number }[]
  quotas: QuotaUsage[]
}

/** `flagmeter usage [tenant]` */
export const usageCommand = (terminal: Terminal): Command =>
  new Command('usage')
    .description('Shows what a tenant has used of its quota in the open billing period; without a name, what all have.')
    .argument('[tenant]', 'name or id')
    .option('--url <url>', 'the server; default: FLAGMETER_URL, or the local `up`')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter usage acme-corp --json')
    .action(async (tenant: string | undefined, options: { url?: string; json?: boolean }) => {
      const server = serverOf(terminal, options.url)
      if (tenant === undefined) {
        const tenants = await askAll<OverviewUsage>(server, '/api/usage', 'tenants')
        if (options.json) printJson(terminal, tenants)
        else print(terminal, tenants)
        return
      }
      const usage = await ask<TenantUsage>({ server, path: `/api/usage/${encodeURIComponent(tenant)}` })
      if (options.json) return printJson(terminal, usage)
      const monthly = usage.quotas.find(({ id }) => id === usage.tenant)
      print(terminal, [{ ...usage, reservedTokens: monthly?.reservedTokens ?? 0 }])
      printQuotas(terminal, usage.quotas)
      if (usage.features.length > 0) {
        const rows = usage.features.map(({ feature, totalTokens, eventCount }) => [feature, totalTokens, eventCount])
        printTable(terminal, ['feature', 'tokens', 'events'], rows)
      }
    })

/** A tenant with nothing but its monthly quota has it in the first table. */
function printQuotas(terminal: Terminal, quotas: QuotaUsage[]): void {
  if (quotas.length === 1 && quotas[0]!.reservedTokens === 0) return
  const rows = quotas.map((quota) => [
    quota.feature ?? '(all)',
    quota.period,
    quota.hard ? 'hard' : 'soft',
    quota.totalTokens,
    quota.reservedTokens,
    quota.tokenLimit,
    `${quota.quotaPercent} %`,
    quota.resetAt.slice(0, 16).replace('T', ' '),
  ])
  printTable(terminal, ['quota of', 'per', 'kind', 'tokens', 'reserved', 'limit', 'used', 'resets (UTC)'], rows)
}

function print(terminal: Terminal, tenants: (Usage & { reservedTokens: number })[]): void {
  const rows = tenants.map((usage) => [
    usage.tenantName,
    usage.totalTokens,
    usage.reservedTokens,
    usage.monthlyQuota,
    `${usage.quotaPercent} %`,
    Math.max(0, usage.monthlyQuota - usage.totalTokens - usage.reservedTokens),
    usage.periodStart.slice(0, 16).replace('T', ' '),
    usage.periodEnd.slice(0, 16).replace('T', ' '),
  ])
  printTable(terminal, ['tenant', 'tokens', 'reserved', 'quota', 'used', 'left', 'from (UTC)', 'to (UTC)'], rows)
}
