import { createWriteStream } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { Gauge, Registry } from 'prom-client'
import { findSchema } from '../lib/store/database_schema.ts'
import { createMetricsServer } from '../lib/metrics/metrics_server.ts'
import { backupName, newestBackupAt, pruneBackups } from './_backup_folder.ts'
import { CommandError, Exit, type Terminal, wholeNumber } from './_command.ts'
import { databaseSettings, withDatabase } from './_database.ts'
import { duration } from './load/options.ts'
import { startPgTool } from './_pg_tools.ts'
import { bind } from './_serving.ts'

interface Options {
  dir: string
  every?: number
  keep?: number
}

const FORMAT = ['--format=custom', '--no-owner', '--no-privileges']
/** After a failure, a schedule tries again so soon. */
const RETRY_MS = 60_000

/** `flagmeter backup [file]` */
export const backupCommand = (terminal: Terminal): Command =>
  new Command('backup')
    .description(
      'Writes all of FlagMeter’s schema into one file with pg_dump (custom format), while everything runs. ' +
        'Needs pg_dump, as new as the server.',
    )
    .argument('[file]', 'where to; - is standard output; default: a name with the time, in --dir')
    .option('--dir <folder>', 'folder of the backups', '.')
    .option('--every <time>', 'go on for ever, and make one so often, like 24h', duration)
    .option('--keep <n>', 'keep so many of the backups in --dir, delete older ones', wholeNumber)
    .addHelpText(
      'after',
      `
Example:
  $ flagmeter backup before-the-upgrade.dump
  $ flagmeter backup --dir /backups --every 24h --keep 7
  $ flagmeter backup - | ssh elsewhere 'cat >flagmeter.dump'`,
    )
    .action(async (file: string | undefined, { dir, every, keep }: Options) => {
      if (file !== undefined && (every ?? keep) !== undefined)
        throw new CommandError('--every and --keep choose the names of the files: leave the file out', Exit.usage)
      if (keep === 0) throw new CommandError('--keep must be at least 1', Exit.usage)
      const { databaseUrl } = databaseSettings(terminal)
      if (file === '-') return await dump(terminal, databaseUrl, () => terminal.out)
      if (every !== undefined) return await repeat(terminal, databaseUrl, { dir, every, ...(keep && { keep }) })
      await backUp(terminal, databaseUrl, file ?? join(dir, backupName(new Date())))
      if (keep) await pruneBackups(dir, keep)
    })

/**
 * Streams a dump: memory does not grow with the database. Only FlagMeter's schema is dumped, unless that is `public`: a
 * dump of `public` alone also creates it, which fails in a database that has one.
 */
async function dump(terminal: Terminal, databaseUrl: string, open: () => NodeJS.WritableStream): Promise<void> {
  const { current } = await withDatabase(terminal, findSchema)
  if (current === null) throw new CommandError('the database is not migrated: there is nothing to back up')
  const only = current === 'public' ? [] : [`--schema="${current.replaceAll('"', '""')}"`]
  const { child, done } = startPgTool(terminal, 'pg_dump', databaseUrl, [...FORMAT, ...only])
  await Promise.all([pipeline(child.stdout!, open()), done])
}

/** Writes under another name first: what has the name of a backup is whole, and on disk. Returns its bytes. */
async function backUp(terminal: Terminal, databaseUrl: string, file: string): Promise<number> {
  const partial = `${file}.partial`
  try {
    await dump(terminal, databaseUrl, () => createWriteStream(partial, { mode: 0o600, flush: true }))
    await rename(partial, file)
  } catch (error) {
    await rm(partial, { force: true })
    const { code, syscall, message } = error as NodeJS.ErrnoException
    throw code && syscall ? new CommandError(`can't write ${file}: ${message}`) : error
  }
  const { size } = await stat(file)
  terminal.out.write(`${file}: ${(size / 1e6).toFixed(1)} MB\n`)
  return size
}

/** Makes one when the newest is old enough, now or later, until told to stop. A failure is told and tried again. */
async function repeat(
  terminal: Terminal,
  databaseUrl: string,
  { dir, every, keep }: Options & { every: number },
): Promise<void> {
  const { stop, err } = terminal
  const registers = [new Registry()]
  const gauge = (name: string, help: string) => new Gauge({ name: `flagmeter_backup_${name}`, help, registers })
  const at = gauge('last_success_timestamp_seconds', 'When the newest backup was finished')
  const bytes = gauge('size_bytes', 'Size of the newest backup')
  const { host, metricsPort } = databaseSettings(terminal)
  if (metricsPort !== undefined)
    await bind(
      createMetricsServer(() => registers[0]!.metrics()),
      host,
      metricsPort,
      'METRICS_PORT',
    )
  for (;;) {
    const newestAt = await newestBackupAt(dir)
    at.set(newestAt / 1000)
    await sleep(Math.max(0, newestAt + every - Date.now()), undefined, { signal: stop }).catch(() => {})
    if (stop.aborted) return
    try {
      bytes.set(await backUp(terminal, databaseUrl, join(dir, backupName(new Date()))))
      if (keep) await pruneBackups(dir, keep)
    } catch (error) {
      if (stop.aborted) return
      err.write(`flagmeter: no backup: ${(error as Error).message}; trying again in ${RETRY_MS / 1000} s\n`)
      await sleep(RETRY_MS, undefined, { signal: stop }).catch(() => {})
    }
  }
}
