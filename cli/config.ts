import { Command } from 'commander'
import type { Config } from '../lib/config.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { migrationStatus } from '../lib/store/migrate.ts'
import { pino } from 'pino'
import { durabilitySettings, openValkey } from '../lib/store/valkey.ts'
import { CommandError, type Terminal, settings } from './_command.ts'
import { printJson, printTable } from './_print.ts'
import { awaitDatabase } from './_stores.ts'
import { unknownSettings } from './_unknown_settings.ts'
import { readUpFile } from './_up_file.ts'

interface Finding {
  subject: string
  ok: boolean
  detail: string
}

/** `flagmeter config check` */
export function configCommand(terminal: Terminal): Command {
  const checkSettings = new Command('check')
    .description(
      'Checks every setting, that the stores answer, and that Valkey keeps what it accepts on disk. ' +
        'Exits 1 if anything is wrong.',
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Straight to the stores: it checks what a server would run on, before you start one.

Example:
  $ flagmeter config check`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const config = settings(terminal)
      const findings = [
        { subject: 'settings', ok: true, detail: ['valid', ...unknownSettings(terminal.env)].join('; ') },
        await checkDatabase(terminal, config),
        ...(await checkValkey(config)),
      ]
      if (json) printJson(terminal, findings)
      else
        printTable(
          terminal,
          ['what', 'ok', 'detail'],
          findings.map(({ subject, ok, detail }) => [subject, ok ? 'yes' : 'NO', detail]),
        )
      const wrong = findings.filter(({ ok }) => !ok)
      if (wrong.length > 0) throw new CommandError(`wrong: ${wrong.map(({ subject }) => subject).join(', ')}`)
    })
  return new Command('config')
    .description('Checks the settings.')
    .addHelpText('after', '\nExample:\n  $ flagmeter config check')
    .addCommand(checkSettings)
}

async function checkDatabase(terminal: Terminal, config: Config): Promise<Finding> {
  const subject = 'database'
  const databaseUrl = config.databaseUrl ?? readUpFile(config.dir)?.databaseUrl
  if (!databaseUrl) return { subject, ok: true, detail: 'no DATABASE_URL: `flagmeter up` runs its own' }
  const database = openDatabase({ ...config, databaseUrl, databasePoolSize: 1 })
  try {
    await awaitDatabase(terminal, database, 0)
    const [row] = await database<{ version: number }[]>`select current_setting('server_version_num')::int as version`
    const major = Math.floor((row?.version ?? 0) / 10_000)
    if (major < 15) return { subject, ok: false, detail: `PostgreSQL ${major}; 15 or newer is needed` }
    const missing = (await migrationStatus(database)).filter(({ appliedAt }) => !appliedAt).length
    if (missing > 0)
      return {
        subject,
        ok: false,
        detail: `PostgreSQL ${major}; ${missing} migrations missing: run \`flagmeter migrate\``,
      }
    return { subject, ok: true, detail: `PostgreSQL ${major}, migrated` }
  } catch (error) {
    return { subject, ok: false, detail: (error as Error).message || 'does not answer' }
  } finally {
    await database.end({ timeout: 1 })
  }
}

async function checkValkey({ valkeyUrl, valkeyTimeoutMs }: Config): Promise<Finding[]> {
  if (!valkeyUrl) return [{ subject: 'valkey', ok: true, detail: 'off: events go straight to PostgreSQL' }]
  const valkey = await openValkey({ valkeyUrl, valkeyTimeoutMs }, pino({ level: 'silent' }))
  try {
    const info = await valkey.info('server')
    const version = /(?:valkey|redis)_version:([\d.]+)/.exec(info)?.[1] ?? 'unknown'
    const findings: Finding[] = [{ subject: 'valkey', ok: true, detail: `version ${version}` }]
    for (const { name, wanted, value } of await durabilitySettings(valkey)) {
      const detail =
        value === undefined
          ? `hidden by the server; make sure it is '${wanted}'`
          : value === wanted
            ? value
            : `'${value}' instead of '${wanted}'`
      findings.push({ subject: `valkey ${name}`, ok: value === undefined || value === wanted, detail })
    }
    return findings
  } catch (error) {
    return [{ subject: 'valkey', ok: false, detail: `does not answer: ${(error as Error).message}` }]
  } finally {
    valkey.disconnect()
  }
}
