import { Command } from 'commander'
import type { QuotaUsage } from '../lib/quota/quota.ts'
import type { OverviewUsage } from '../lib/usage/overview.ts'
import type { Usage } from '../lib/usage/usage.ts'
import type { Terminal } from './_command.ts'
import { ask, askAll } from './_http.ts'
import { type View, minuteOf, printItems, printJson, printTable } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface TenantUsage extends Usage {
  features: { feature: string; totalTokens: number; eventCount: number }[]
  quotas: QuotaUsage[]
}

/** `flagmeter usage [tenant]` */
export const usageCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('usage')
      .description(
        'Shows how much of its quotas a tenant has used in the open periods, and by feature; ' +
          'without a name, how much of its monthly quota each tenant has used.',
      )
      .argument('[tenant]', 'name or id'),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter usage acme-corp --json')
    .action(async (tenant: string | undefined, options: ServerOptions) => {
      if (tenant === undefined) {
        const tenants = await withServer(terminal, options, (server) =>
          askAll<OverviewUsage>(server, '/api/usage', 'tenants'),
        )
        printItems(terminal, options, tenants, MONTHLY)
        return
      }
      const usage = await withServer(terminal, options, (server) =>
        ask<TenantUsage>({ server, path: `/api/usage/${encodeURIComponent(tenant)}` }),
      )
      if (options.json) printJson(terminal, usage)
      else printUsage(terminal, usage)
    })

function printUsage(terminal: Terminal, usage: TenantUsage): void {
  const monthly = usage.quotas.find(({ id }) => id === usage.tenant)
  printItems(terminal, {}, [{ ...usage, reservedTokens: monthly?.reservedTokens ?? 0 }], MONTHLY)
  // If a tenant has only its monthly quota, the first table shows it.
  if (usage.quotas.length > 1 || monthly?.reservedTokens !== 0) printItems(terminal, {}, usage.quotas, QUOTAS)
  if (usage.features.length === 0) return
  const rows = usage.features.map(({ feature, totalTokens, eventCount }) => [feature, totalTokens, eventCount])
  printTable(terminal, ['feature', 'tokens', 'events'], rows)
}

const MONTHLY: View<Usage & { reservedTokens: number }> = {
  none: 'no tenants',
  head: ['tenant', 'tokens', 'reserved', 'quota', 'used', 'left', 'from (UTC)', 'to (UTC)'],
  row: (usage) => [
    usage.tenantName,
    usage.totalTokens,
    usage.reservedTokens,
    usage.monthlyQuota,
    `${usage.quotaPercent} %`,
    Math.max(0, usage.monthlyQuota - usage.totalTokens - usage.reservedTokens),
    minuteOf(usage.periodStart),
    minuteOf(usage.periodEnd),
  ],
}

const QUOTAS: View<QuotaUsage> = {
  none: 'no quotas',
  head: ['quota of', 'per', 'kind', 'tokens', 'reserved', 'limit', 'used', 'resets (UTC)'],
  row: (quota) => [
    quota.feature ?? '(all)',
    quota.period,
    quota.hard ? 'hard' : 'soft',
    quota.totalTokens,
    quota.reservedTokens,
    quota.tokenLimit,
    `${quota.quotaPercent} %`,
    minuteOf(quota.resetAt),
  ],
}
