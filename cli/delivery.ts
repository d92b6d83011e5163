import { Command, Option } from 'commander'
import { DELIVERY_STATUS, type Delivery } from '../lib/alerts/delivery.ts'
import { CommandError, type Terminal } from './_command.ts'
import { ask, askAll } from './_http.ts'
import { idOf } from './_options.ts'
import { type View, printItems, printJson, secondOf } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface Options extends ServerOptions {
  status?: string
  tenant?: string
  webhook?: string
}

const webhookId = idOf('a webhook', 'flagmeter webhook list')

/** The answer to a retry. Servers of an earlier release retry everything at once and send no `more`. */
interface Retried {
  retried: number
  more?: boolean
}

/** `flagmeter delivery list|retry` */
export function deliveryCommand(terminal: Terminal): Command {
  const list = overHttp(
    new Command('list')
      .description('Lists messages to webhooks and their outcome, newest first.')
      .argument('[tenant]', 'name or id')
      .addOption(new Option('--status <status>', 'only those').choices(DELIVERY_STATUS))
      .option('--webhook <id>', 'only of this webhook', webhookId),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter delivery list --status dead')
    .action(async (tenant: string | undefined, { status, webhook, ...options }: Options) => {
      const filter = { tenant, status, webhook }
      const deliveries = await withServer(terminal, options, (server) =>
        askAll<Delivery>(server, '/api/deliveries', 'deliveries', filter),
      )
      printItems(terminal, options, deliveries, DELIVERIES)
    })
  const retry = overHttp(
    new Command('retry')
      .description('Retries failed deliveries now: one, those of a tenant or webhook, or all.')
      .argument(
        '[delivery]',
        'id, from `flagmeter delivery list`; default: all',
        idOf('a delivery', 'flagmeter delivery list'),
      )
      .option('--tenant <tenant>', 'only of this tenant')
      .option('--webhook <id>', 'only of this webhook', webhookId),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter delivery retry --tenant acme-corp')
    .action(async (delivery: string | undefined, { tenant, webhook, ...options }: Options) => {
      const body = { delivery, tenant, webhook }
      const retried = await withServer(terminal, options, async (server) => {
        let count = 0
        for (let more = true; more;) {
          const answer = await ask<Retried>({ server, path: '/api/deliveries/retry', body })
          count += answer.retried
          more = answer.more === true
        }
        return count
      })
      if (options.json) printJson(terminal, { retried })
      if (delivery !== undefined && retried === 0) {
        throw new CommandError(`there is no delivery ${delivery} that was not delivered`)
      }
      if (!options.json) terminal.out.write(`${retried} due now\n`)
    })
  return new Command('delivery')
    .description('Shows and retries messages to webhooks.')
    .addHelpText('after', '\nExample:\n  $ flagmeter delivery list')
    .addCommand(list)
    .addCommand(retry)
}

const DELIVERIES: View<Delivery> = {
  none: 'no deliveries',
  head: ['created (UTC)', 'tenant', 'alert', 'kind', 'status', 'tries', 'last failure', 'id'],
  row: (delivery) => [
    secondOf(delivery.createdAt),
    delivery.tenantName,
    delivery.threshold === undefined ? 'test' : `${delivery.threshold} %`,
    delivery.kind,
    delivery.status,
    delivery.attempts,
    delivery.reason ?? '',
    delivery.id,
  ],
}
