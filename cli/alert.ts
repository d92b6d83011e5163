import { Command } from 'commander'
import type { Crossing } from '../lib/alerts/crossing.ts'
import { limitInWords } from '../lib/quota/quota.ts'
import { type Terminal, printJson, printTable, serverOf } from './_command.ts'
import { askAll } from './_http.ts'

interface Alert extends Crossing {
  id: string
  tenantName: string
  createdAt: string
}

/** `flagmeter alert list` */
export function alertCommand(terminal: Terminal): Command {
  const list = new Command('list')
    .description('Lists the thresholds a tenant has crossed, or all have, the newest first.')
    .argument('[tenant]', 'name or id')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter alert list acme-corp')
    .action(async (tenant: string | undefined, { json }: { json?: boolean }) => {
      const alerts = await askAll<Alert>(serverOf(terminal, undefined), '/api/alerts', 'alerts', { tenant })
      if (json) return printJson(terminal, alerts)
      if (alerts.length === 0) return void terminal.out.write('no alerts\n')
      const rows = alerts.map((alert) => [
        alert.createdAt.slice(0, 19).replace('T', ' '),
        alert.tenantName,
        `${alert.threshold} %`,
        `${alert.quotaPercent} %`,
        alert.totalTokens,
        limitInWords(alert.quota),
        alert.id,
      ])
      printTable(terminal, ['raised (UTC)', 'tenant', 'threshold', 'used', 'tokens', 'of', 'id'], rows)
    })
  return new Command('alert')
    .description('Shows the alerts that were raised.')
    .addHelpText('after', '\nExample:\n  $ flagmeter alert list')
    .addCommand(list)
}
