import { setTimeout as sleep } from 'node:timers/promises'
import { Command, Option } from 'commander'
import type { Delivery } from '../lib/alerts/delivery.ts'
import type { Webhook } from '../lib/alerts/webhook.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { type Server, type ServerRequest, ask, askAll } from './_http.ts'
import { idOf } from './_options.ts'
import { type View, printItem, printItems, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface Options extends ServerOptions {
  kind?: string
  enable?: boolean
  disable?: boolean
  disabled?: boolean
}

type NewWebhook = Webhook & { secret?: string }

/** How long `webhook test` waits for the outcome: a try takes at most 10 seconds. */
const TEST_WAIT_MS = 15_000
const EXAMPLE_ID = '0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b'

/** `flagmeter webhook list|create|update|delete|rotate|test` */
export function webhookCommand(terminal: Terminal): Command {
  const subcommand = (name: string, description: string, example: string): Command =>
    new Command(name)
      .description(description)
      .addHelpText('after', `\nExample:\n  $ flagmeter webhook ${name} ${example}`.trimEnd())
  const ofWebhook = (name: string, description: string, example = EXAMPLE_ID): Command =>
    subcommand(name, description, example).argument(
      '<webhook>',
      'its id, from `flagmeter webhook list`',
      idOf('a webhook', 'flagmeter webhook list'),
    )
  const askServer = <T>(options: ServerOptions, request: Omit<ServerRequest, 'server'>): Promise<T> =>
    withServer(terminal, options, (server) => ask<T>({ server, ...request }))

  const list = overHttp(
    subcommand('list', 'Lists the webhooks of a tenant, or of all. URLs are masked.', 'acme-corp').argument(
      '[tenant]',
      'name or id',
    ),
  ).action(async (tenant: string | undefined, options: Options) => {
    const webhooks = await withServer(terminal, options, (server) =>
      askAll<Webhook>(server, '/api/webhooks', 'webhooks', { tenant }),
    )
    printItems(terminal, options, webhooks, WEBHOOKS)
  })

  const create = overHttp(
    subcommand(
      'create',
      'Adds a webhook to a tenant: slack receives text, standard a signed event (standardwebhooks.com).',
      'acme-corp --kind slack --url https://hooks.slack.com/services/T000/B000/XXXX',
    )
      .argument('<tenant>', 'name or id')
      .addOption(
        new Option('--kind <kind>', 'the kind of receiver').choices(['slack', 'standard']).makeOptionMandatory(),
      )
      .requiredOption('--url <url>', 'where messages go; https')
      .option('--disabled', 'create it disabled'),
  ).action(async (tenant: string, { kind, url, disabled = false, ...options }: Options) => {
    const body = { tenant, kind, url, enabled: !disabled }
    const webhook = await askServer<NewWebhook>(options, { path: '/api/webhooks', body, once: true })
    printSecret(terminal, webhook, options)
  })

  const update = overHttp(
    ofWebhook('update', 'Changes a webhook.', `${EXAMPLE_ID} --enable`)
      .option('--url <url>', 'where messages go; https')
      .option('--enable', 'use it')
      .addOption(new Option('--disable', 'stop using it; its open deliveries become dead').conflicts('enable')),
  ).action(async (id: string, { url, enable, disable, ...options }: Options) => {
    if (url === undefined && !enable && !disable)
      throw new CommandError('nothing to change: give an option', Exit.usage)
    const body = { ...(url !== undefined && { url }), ...((enable || disable) && { enabled: enable === true }) }
    const webhook = await askServer<Webhook>(options, { path: pathOf(id), method: 'PATCH', body })
    printItem(terminal, options, webhook, WEBHOOKS)
  })

  const remove = overHttp(ofWebhook('delete', 'Deletes a webhook with its deliveries.')).action(
    async (id: string, options: Options) => {
      const webhook = await askServer<Webhook>(options, { path: pathOf(id), method: 'DELETE', once: true })
      if (options.json) printJson(terminal, webhook)
      else terminal.out.write(`deleted ${webhook.id} (${webhook.kind}, ${webhook.url}) of ${webhook.tenantName}\n`)
    },
  )

  const rotate = overHttp(
    ofWebhook('rotate', 'Gives a standard webhook a new secret. For 24 hours, the old one signs as well.'),
  ).action(async (id: string, options: Options) => {
    const request = { path: `${pathOf(id)}/rotate`, method: 'POST', once: true } as const
    printSecret(terminal, await askServer<NewWebhook>(options, request), options)
  })

  const test = overHttp(
    ofWebhook('test', 'Sends a test message, even to a disabled webhook, and reports the outcome.'),
  ).action(async (id: string, options: Options) => {
    const delivery = await withServer(terminal, options, async (server) => {
      const sent = await ask<Delivery>({ server, path: `${pathOf(id)}/test`, method: 'POST', once: true })
      return await settled(server, sent)
    })
    if (options.json) printJson(terminal, delivery)
    if (delivery.status === 'dead') throw new CommandError(`the test message was not delivered: ${delivery.reason}`)
    if (delivery.status !== 'delivered')
      throw new CommandError('the test message has not been sent yet: is a worker running?')
    if (!options.json) terminal.out.write(`delivered to ${delivery.url} (${delivery.responseStatus})\n`)
  })

  const command = new Command('webhook')
    .description('Lists, creates, changes and tests webhooks: where alerts go when a tenant reaches a threshold.')
    .addHelpText('after', '\nExample:\n  $ flagmeter webhook list')
  for (const child of [list, create, update, remove, rotate, test]) command.addCommand(child)
  return command
}

const pathOf = (id: string): string => `/api/webhooks/${id}`

async function settled(server: Server, delivery: Delivery): Promise<Delivery> {
  const end = performance.now() + TEST_WAIT_MS
  while (['pending', 'sending'].includes(delivery.status) && performance.now() < end) {
    await sleep(100)
    delivery = await ask<Delivery>({ server, path: `/api/deliveries/${delivery.id}` })
  }
  return delivery
}

function printSecret(terminal: Terminal, webhook: NewWebhook, options: ServerOptions): void {
  printItem(terminal, options, webhook, WEBHOOKS)
  if (webhook.secret && !options.json) terminal.out.write(`\nsigning secret, shown this once: ${webhook.secret}\n`)
}

const WEBHOOKS: View<Webhook> = {
  none: 'no webhooks',
  head: ['tenant', 'kind', 'url', 'enabled', 'id'],
  row: ({ tenantName, kind, url, enabled, id }) => [tenantName, kind, url, enabled ? 'yes' : 'no', id],
}
