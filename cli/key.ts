import { Command } from 'commander'
import { SCOPES, type Scope } from '../lib/auth/scope.ts'
import { newKey } from '../lib/auth/key.ts'
import type { ApiKey, NewApiKey } from '../lib/admin/keys.ts'
import { CommandError, Exit, type Terminal } from './_command.ts'
import { ask, askAll } from './_http.ts'
import { idOf, momentAhead } from './_options.ts'
import { type View, minuteOf, printItem, printItems, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface NewKey extends ServerOptions {
  name: string
  scopes: Scope[]
  tenant?: string
  user?: string
  expires?: string
}

/** `flagmeter key create|list|revoke|generate` */
export function keyCommand(terminal: Terminal): Command {
  const create = overHttp(
    new Command('create')
      .description(
        'Creates a key and prints it, this once. To rotate a key, create a new one, use it, and revoke the old one. ' +
          'If no admin key is left to create keys with, use --direct.',
      )
      .requiredOption('--name <name>', 'what it is for')
      .requiredOption('--scopes <scopes>', 'ingest, read or admin (which includes both), separated by commas', scopes)
      .option('--tenant <tenant>', 'name or id of the only tenant it may access; default: any')
      .option('--user <user>', 'the only user of that tenant it may report and see')
      .option('--expires <time>', 'when it expires: RFC 3339, a day, or like 90d; default: never', momentAhead),
  )
    .addHelpText(
      'after',
      '\nExample:\n  $ flagmeter key create --name billing-app --scopes ingest,read --tenant acme-corp --expires 365d',
    )
    .action(async ({ name, scopes: given, tenant, user, expires, ...options }: NewKey) => {
      const body = { name, scopes: given, tenant, user, expiresAt: expires }
      const key = await withServer(terminal, options, (server) =>
        ask<NewApiKey>({ server, path: '/api/keys', body, once: true }),
      )
      printItem(terminal, options, key, KEYS)
      if (!options.json) terminal.out.write(`\nthe key, shown this once: ${key.key}\n`)
    })
  const list = overHttp(
    new Command('list')
      .description('Lists the keys, newest first, but never their secrets.')
      .argument('[tenant]', 'only those of this tenant, by name or id'),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter key list acme-corp')
    .action(async (tenant: string | undefined, options: ServerOptions) => {
      const keys = await withServer(terminal, options, (server) =>
        askAll<ApiKey>(server, '/api/keys', 'keys', { tenant }),
      )
      printItems(terminal, options, keys, KEYS)
    })
  const revoke = overHttp(
    new Command('revoke')
      .description('Revokes a key for good. Every server refuses it within a second.')
      .argument('<key>', 'its id, from `flagmeter key list`; not the key itself', idOf('a key', 'flagmeter key list')),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter key revoke 0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b')
    .action(async (id: string, options: ServerOptions) => {
      const key = await withServer(terminal, options, (server) =>
        ask<ApiKey>({ server, path: `/api/keys/${id}`, method: 'DELETE' }),
      )
      if (options.json) printJson(terminal, key)
      else terminal.out.write(`revoked ${key.hint} (${key.name})\n`)
    })
  const generate = new Command('generate')
    .description('Prints a new key that no database knows yet, for FLAGMETER_ADMIN_KEY.')
    .addHelpText('after', '\nExample:\n  $ FLAGMETER_ADMIN_KEY=$(flagmeter key generate) flagmeter serve')
    .action(() => void terminal.out.write(`${newKey()}\n`))
  const command = new Command('key')
    .description('Creates, lists and revokes keys: who may call the API.')
    .addHelpText('after', '\nExample:\n  $ flagmeter key list')
  for (const child of [create, list, revoke, generate]) command.addCommand(child)
  return command
}

function scopes(list: string): Scope[] {
  const given = list.split(',').map((scope) => scope.trim())
  const wrong = given.find((scope) => !SCOPES.includes(scope as Scope))
  if (wrong === undefined) return given as Scope[]
  throw new CommandError(`--scopes: '${wrong}' is not a scope; use ${SCOPES.join(', ')}`, Exit.usage)
}

const KEYS: View<ApiKey> = {
  none: 'no keys',
  head: ['key', 'name', 'scopes', 'tenant', 'state', 'last used (UTC)', 'id'],
  row: (key) => [
    key.hint,
    key.name,
    key.scopes.join(','),
    key.user === undefined ? (key.tenantName ?? 'any') : `${key.tenantName}, user ${key.user}`,
    stateOf(key),
    key.lastUsedAt === undefined ? 'never' : minuteOf(key.lastUsedAt),
    key.id,
  ],
}

function stateOf({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt) return 'revoked'
  if (!expiresAt) return 'valid'
  return `${Date.parse(expiresAt) > Date.now() ? 'until' : 'expired'} ${expiresAt.slice(0, 10)}`
}
