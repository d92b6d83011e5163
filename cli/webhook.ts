import { setTimeout as sleep } from 'node:timers/promises'
import { Command, Option } from 'commander'
import type { Delivery } from '../lib/alerts/delivery.ts'
import type { Webhook } from '../lib/alerts/webhook.ts'
import { CommandError, Exit, type Server, type Terminal, printJson, printTable, serverOf } from './_command.ts'
import { ask, askAll } from './_http.ts'

interface Options {
  kind?: string
  url?: string
  enable?: boolean
  disable?: boolean
  disabled?: boolean
  json?: boolean
}

/** How long `webhook test` waits for the outcome: a try takes at most 10 seconds. */
const TEST_WAIT_MS = 15_000

/** `flagmeter webhook list|create|update|delete|rotate|test` */
export function webhookCommand(terminal: Terminal): Command {
  const subcommand = (name: string, description: string, example: string): Command =>
    new Command(name)
      .description(description)
      .option('--json', 'print JSON')
      .addHelpText('after', `\nExample:\n  $ flagmeter webhook ${name} ${example}`.trimEnd())
  const server = () => serverOf(terminal, undefined)
  const path = (id: string) => `/api/webhooks/${encodeURIComponent(id)}`

  const list = subcommand('list', 'Lists the webhooks of a tenant, or of all. URLs are masked.', 'acme-corp')
    .argument('[tenant]', 'name or id')
    .action(async (tenant: string | undefined, { json }: Options) => {
      const webhooks = await askAll<Webhook>(server(), '/api/webhooks', 'webhooks', { tenant })
      if (json) return printJson(terminal, webhooks)
      if (webhooks.length === 0) return void terminal.out.write('no webhooks\n')
      print(terminal, webhooks)
    })

  const create = subcommand(
    'create',
    'Adds a webhook to a tenant: slack gets a text, standard a signed event (standardwebhooks.com).',
    'acme-corp --kind slack --url https://hooks.slack.com/services/T000/B000/XXXX',
  )
    .argument('<tenant>', 'name or id')
    .addOption(new Option('--kind <kind>', 'who receives').choices(['slack', 'standard']).makeOptionMandatory())
    .requiredOption('--url <url>', 'where messages go; https')
    .option('--disabled', 'do not use it yet')
    .action(async (tenant: string, { kind, url, disabled = false, json }: Options) => {
      const body = { tenant, kind, url, enabled: !disabled }
      const request = { server: server(), path: '/api/webhooks', body, once: true }
      showSecret(terminal, await ask<Webhook & { secret?: string }>(request), json)
    })

  const update = subcommand('update', 'Changes a webhook.', '0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b --enable')
    .argument('<webhook>', 'id')
    .option('--url <url>', 'where messages go; https')
    .option('--enable', 'use it')
    .addOption(new Option('--disable', 'do not use it; what waits for it is dead').conflicts('enable'))
    .action(async (id: string, { url, enable, disable, json }: Options) => {
      if (url === undefined && !enable && !disable)
        throw new CommandError('nothing to change: give an option', Exit.usage)
      const body = { ...(url !== undefined && { url }), ...((enable || disable) && { enabled: enable === true }) }
      const webhook = await ask<Webhook>({ server: server(), path: path(id), method: 'PATCH', body })
      if (json) printJson(terminal, webhook)
      else print(terminal, [webhook])
    })

  const remove = subcommand('delete', 'Deletes a webhook with its deliveries.', '0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b')
    .argument('<webhook>', 'id')
    .action(async (id: string, { json }: Options) => {
      const webhook = await ask<Webhook>({ server: server(), path: path(id), method: 'DELETE', once: true })
      if (json) printJson(terminal, webhook)
      else terminal.out.write(`deleted ${webhook.id} (${webhook.kind}, ${webhook.url}) of ${webhook.tenantName}\n`)
    })

  const rotate = subcommand(
    'rotate',
    'Gives a standard webhook a new secret. The old one signs too for another 24 hours.',
    '0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b',
  )
    .argument('<webhook>', 'id')
    .action(async (id: string, { json }: Options) => {
      const request = { server: server(), path: `${path(id)}/rotate`, method: 'POST' as const, once: true }
      showSecret(terminal, await ask<Webhook & { secret?: string }>(request), json)
    })

  const test = subcommand(
    'test',
    'Sends a test message, also to a disabled webhook, and says what came of it.',
    '0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b',
  )
    .argument('<webhook>', 'id')
    .action(async (id: string, { json }: Options) => {
      const request = { server: server(), path: `${path(id)}/test`, method: 'POST' as const, once: true }
      const delivery = await settled(server(), await ask<Delivery>(request))
      if (json) printJson(terminal, delivery)
      if (delivery.status === 'dead') throw new CommandError(`the test message was not delivered: ${delivery.reason}`)
      if (delivery.status !== 'delivered')
        throw new CommandError('the test message was not sent yet: does a worker run?')
      if (!json) terminal.out.write(`delivered to ${delivery.url} (${delivery.responseStatus})\n`)
    })

  const command = new Command('webhook')
    .description('Lists, creates, changes and tests webhooks: who is told when a tenant reaches a threshold.')
    .addHelpText('after', '\nExample:\n  $ flagmeter webhook list')
  for (const child of [list, create, update, remove, rotate, test]) command.addCommand(child)
  return command
}

async function settled(server: Server, delivery: Delivery): Promise<Delivery> {
  const end = performance.now() + TEST_WAIT_MS
  while (['pending', 'sending'].includes(delivery.status) && performance.now() < end) {
    await sleep(100)
    delivery = await ask<Delivery>({ server, path: `/api/deliveries/${delivery.id}` })
  }
  return delivery
}

function showSecret(terminal: Terminal, webhook: Webhook & { secret?: string }, json: boolean | undefined): void {
  if (json) return printJson(terminal, webhook)
  print(terminal, [webhook])
  if (webhook.secret) terminal.out.write(`\nsigning secret, shown this once: ${webhook.secret}\n`)
}

function print(terminal: Terminal, webhooks: Webhook[]): void {
  const rows = webhooks.map(({ tenantName, kind, url, enabled, id }) => [
    tenantName,
    kind,
    url,
    enabled ? 'yes' : 'no',
    id,
  ])
  printTable(terminal, ['tenant', 'kind', 'url', 'enabled', 'id'], rows)
}
