import { Command } from 'commander'
import type { Crossing } from '../lib/alerts/crossing.ts'
import { limitInWords } from '../lib/quota/limit.ts'
import type { Terminal } from './_command.ts'
import { askAll } from './_http.ts'
import { type View, printItems, secondOf } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface Alert extends Crossing {
  id: string
  tenantName: string
  createdAt: string
}

/** `flagmeter alert list` */
export function alertCommand(terminal: Terminal): Command {
  const list = overHttp(
    new Command('list')
      .description('Lists the thresholds crossed by one tenant, or by all, newest first.')
      .argument('[tenant]', 'name or id'),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter alert list acme-corp')
    .action(async (tenant: string | undefined, options: ServerOptions) => {
      const alerts = await withServer(terminal, options, (server) =>
        askAll<Alert>(server, '/api/alerts', 'alerts', { tenant }),
      )
      printItems(terminal, options, alerts, ALERTS)
    })
  return new Command('alert')
    .description('Shows raised alerts.')
    .addHelpText('after', '\nExample:\n  $ flagmeter alert list')
    .addCommand(list)
}

const ALERTS: View<Alert> = {
  none: 'no alerts',
  head: ['raised (UTC)', 'tenant', 'threshold', 'used', 'amount', 'of', 'user', 'id'],
  row: (alert) => [
    secondOf(alert.createdAt),
    alert.tenantName,
    `${alert.threshold} %`,
    `${alert.quotaPercent} %`,
    alert.totalTokens ?? alert.totalRequests ?? `$${alert.totalCost}`,
    limitInWords(alert.quota),
    alert.user ?? '',
    alert.id,
  ],
}
