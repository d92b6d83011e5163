import { Command, Option } from 'commander'
import { DELIVERY_STATUS, type Delivery } from '../lib/alerts/delivery.ts'
import { CommandError, type Terminal, printJson, printTable, serverOf } from './_command.ts'
import { ask, askAll } from './_http.ts'

interface Options {
  status?: string
  tenant?: string
  webhook?: string
  json?: boolean
}

/** What a request to retry answers. Servers of an earlier release retry everything at once and send no `more`. */
interface Retried {
  retried: number
  more?: boolean
}

/** `flagmeter delivery list|retry` */
export function deliveryCommand(terminal: Terminal): Command {
  const server = () => serverOf(terminal, undefined)
  const list = new Command('list')
    .description('Lists the messages to webhooks and what came of them, the newest first.')
    .argument('[tenant]', 'name or id')
    .addOption(new Option('--status <status>', 'only those').choices(DELIVERY_STATUS))
    .option('--webhook <id>', 'only of this webhook')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter delivery list --status dead')
    .action(async (tenant: string | undefined, { status, webhook, json }: Options) => {
      const filter = { tenant, status, webhook }
      const deliveries = await askAll<Delivery>(server(), '/api/deliveries', 'deliveries', filter)
      if (json) return printJson(terminal, deliveries)
      if (deliveries.length === 0) return void terminal.out.write('no deliveries\n')
      print(terminal, deliveries)
    })
  const retry = new Command('retry')
    .description('Tries again, now, what was not delivered: one delivery, a tenant’s, a webhook’s, or all.')
    .argument('[delivery]', 'id; default: all')
    .option('--tenant <tenant>', 'only of this tenant')
    .option('--webhook <id>', 'only of this webhook')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter delivery retry --tenant acme-corp')
    .action(async (delivery: string | undefined, { tenant, webhook, json }: Options) => {
      const body = { delivery, tenant, webhook }
      let retried = 0
      for (let more = true; more;) {
        const answer = await ask<Retried>({ server: server(), path: '/api/deliveries/retry', body })
        retried += answer.retried
        more = answer.more === true
      }
      if (json) printJson(terminal, { retried })
      if (delivery !== undefined && retried === 0) {
        throw new CommandError(`there is no delivery ${delivery} that was not delivered`)
      }
      if (!json) terminal.out.write(`${retried} due now\n`)
    })
  return new Command('delivery')
    .description('Shows and retries the messages to webhooks.')
    .addHelpText('after', '\nExample:\n  $ flagmeter delivery list')
    .addCommand(list)
    .addCommand(retry)
}

function print(terminal: Terminal, deliveries: Delivery[]): void {
  const rows = deliveries.map((delivery) => [
    delivery.createdAt.slice(0, 19).replace('T', ' '),
    delivery.tenantName,
    delivery.threshold === undefined ? 'test' : `${delivery.threshold} %`,
    delivery.kind,
    delivery.status,
    delivery.attempts,
    delivery.reason ?? '',
    delivery.id,
  ])
  printTable(terminal, ['created (UTC)', 'tenant', 'alert', 'kind', 'status', 'tries', 'last failure', 'id'], rows)
}
