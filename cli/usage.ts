import { Command, Option } from 'commander'
import type { QuotaUsage } from '../lib/quota/quota.ts'
import type { OverviewUsage } from '../lib/usage/overview.ts'
import type { Usage } from '../lib/usage/usage.ts'
import type { ValueUsage } from '../lib/usage/usage_by.ts'
import type { UserUsage } from '../lib/usage/user_usage.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { ask, askAll } from './_http.ts'
import { wholeNumber } from './_options.ts'
import { limitCell } from './quota.ts'
import { type View, costOf, minuteOf, printItem, printItems, printJson, printTable } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

type Options = ServerOptions & { by?: string; top: number; user?: string }

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
      .argument('[tenant]', 'name or id')
      .addOption(new Option('--user <user>', 'only of this user, with its quotas').conflicts('by'))
      .option('--by <split>', 'what each feature, model, user, or value of a dimension has used')
      .addOption(
        new Option('--top <count>', 'with --by: how many, the largest first').argParser(wholeNumber).default(100),
      ),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter usage acme-corp --by model')
    .action(async (tenant: string | undefined, { by, top, user, ...options }: Options) => {
      if (user !== undefined) {
        if (tenant === undefined) throw new CommandError('--user needs a tenant', Exit.usage)
        const path = `/api/usage/${encodeURIComponent(tenant)}?user=${encodeURIComponent(user)}`
        const usage = await withServer(terminal, options, (server) => ask<UserUsage>({ server, path }))
        printItem(terminal, options, { ...usage, value: user }, byValue('user'))
        if (!options.json && usage.quotas.length > 0) printItems(terminal, options, usage.quotas, QUOTAS)
        return
      }
      if (by !== undefined) {
        if (tenant === undefined) throw new CommandError('--by needs a tenant', Exit.usage)
        const values = await withServer(terminal, options, (server) =>
          askAll<ValueUsage>(server, `/api/usage/${encodeURIComponent(tenant)}`, 'values', { by }, top),
        )
        printItems(terminal, options, values, byValue(by))
        return
      }
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
  if (usage.unpricedEvents === usage.eventCount) return
  const unknown = usage.unpricedEvents > 0 ? `, and of ${usage.unpricedEvents.toLocaleString('en-US')} unknown` : ''
  const priced = (usage.eventCount - usage.unpricedEvents).toLocaleString('en-US')
  terminal.out.write(`\ncost: $${usage.cost} of ${priced} events${unknown}\n`)
}

const byValue = (by: string): View<ValueUsage> => ({
  none: 'no usage in this period',
  head: [by, 'tokens', 'events', 'input', 'cache read', 'cache write', 'output', 'reasoning', 'cost ($)', 'unpriced'],
  row: ({ pools, ...used }) => [
    used.value,
    used.totalTokens,
    used.eventCount,
    pools.input,
    pools.cacheRead,
    pools.cacheWrite,
    pools.output,
    pools.reasoning,
    costOf(used),
    used.unpricedEvents,
  ],
})

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
  head: ['quota of', 'per', 'kind', 'amount', 'reserved', 'limit', 'used', 'resets (UTC)'],
  row: (quota) => [
    [quota.feature, quota.model].filter(Boolean).join(', ') || '(all)',
    quota.period,
    quota.hard ? 'hard' : 'soft',
    quota.totalTokens ?? quota.totalRequests ?? `$${quota.totalCost}`,
    quota.reservedTokens ?? quota.reservedRequests ?? `$${quota.reservedCost}`,
    limitCell(quota),
    `${quota.quotaPercent} %`,
    minuteOf(quota.resetAt),
  ],
}
