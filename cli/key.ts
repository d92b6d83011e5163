import { Command } from 'commander'
import { z } from 'zod'
import { newKey } from '../lib/auth/key.ts'
import { type ApiKey, KeySettings, createKey, listKeys, revokeKey } from '../lib/admin/keys.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import { type Terminal, printJson, printTable } from './_command.ts'
import { withDatabase } from './_database.ts'
import { CLI_ACTOR, check } from './_tenants.ts'

interface Options {
  name?: string
  scopes?: string[]
  tenant?: string
  expires?: string
  json?: boolean
}

const DAY_MS = 24 * 60 * 60 * 1000
const ID = '0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b'

/** `flagmeter key create|list|revoke|generate` */
export function keyCommand(terminal: Terminal): Command {
  const create = new Command('create')
    .description('Makes a key and prints it, this once. To rotate: make a new one, use it, revoke the old one.')
    .requiredOption('--name <name>', 'what it is for')
    .requiredOption(
      '--scopes <scopes>',
      'ingest, read or admin (which includes both), with commas between them',
      (list: string) => list.split(','),
    )
    .option('--tenant <tenant>', 'name or id of the only tenant it may speak of; default: any')
    .option('--expires <time>', 'when it ends: RFC 3339, or days like 90d; default: never')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ flagmeter key create --name billing-app --scopes ingest,read --tenant acme-corp --expires 365d',
    )
    .action(async ({ name, scopes, tenant, expires, json }: Options) => {
      const days = /^(\d{1,5})d$/.exec(expires ?? '')?.[1]
      const expiresAt = days === undefined ? expires : new Date(Date.now() + Number(days) * DAY_MS).toISOString()
      const settings = check(z.object(KeySettings), { name, scopes, expiresAt })
      const key = await withDatabase(terminal, async (database) => {
        const tenantId = tenant === undefined ? undefined : (await getTenant(database, tenant)).id
        return await createKey(database, CLI_ACTOR, { ...settings, tenantId })
      })
      if (json) return printJson(terminal, key)
      print(terminal, [key])
      terminal.out.write(`\nthe key, shown this once: ${key.key}\n`)
    })
  const list = new Command('list')
    .description('Lists the keys, the newest first; never the keys themselves.')
    .argument('[tenant]', 'only those of this tenant, by name or id')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample:\n  $ flagmeter key list acme-corp')
    .action(async (tenant: string | undefined, { json }: Options) => {
      const keys = await withDatabase(terminal, async (database) => {
        const tenantId = tenant === undefined ? null : (await getTenant(database, tenant)).id
        return (await listKeys(database, tenantId, null, 10_000)).items
      })
      if (json) return printJson(terminal, keys)
      if (keys.length === 0) return void terminal.out.write('no keys\n')
      print(terminal, keys)
    })
  const revoke = new Command('revoke')
    .description('Revokes a key for good. Every server refuses it within a second.')
    .argument('<key>', 'its id, not the key itself')
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExample:\n  $ flagmeter key revoke ${ID}`)
    .action(async (id: string, { json }: Options) => {
      const key = await withDatabase(terminal, (database) => revokeKey(database, CLI_ACTOR, id))
      if (json) printJson(terminal, key)
      else terminal.out.write(`revoked ${key.hint} (${key.name})\n`)
    })
  const generate = new Command('generate')
    .description('Prints a new key that no database knows yet, for FLAGMETER_ADMIN_KEY.')
    .addHelpText('after', '\nExample:\n  $ FLAGMETER_ADMIN_KEY=$(flagmeter key generate) flagmeter serve')
    .action(() => void terminal.out.write(`${newKey()}\n`))
  const command = new Command('key')
    .description('Makes, lists and revokes keys: who may call the API.')
    .addHelpText('after', '\nExample:\n  $ flagmeter key list')
  for (const child of [create, list, revoke, generate]) command.addCommand(child)
  return command
}

function print(terminal: Terminal, keys: ApiKey[]): void {
  const rows = keys.map((key) => [
    key.hint,
    key.name,
    key.scopes.join(','),
    key.tenantName ?? 'any',
    state(key),
    key.lastUsedAt?.slice(0, 16).replace('T', ' ') ?? 'never',
    key.id,
  ])
  printTable(terminal, ['key', 'name', 'scopes', 'tenant', 'state', 'last used (UTC)', 'id'], rows)
}

function state({ revokedAt, expiresAt }: ApiKey): string {
  if (revokedAt) return 'revoked'
  if (!expiresAt) return 'valid'
  return `${Date.parse(expiresAt) > Date.now() ? 'until' : 'expired'} ${expiresAt.slice(0, 10)}`
}
