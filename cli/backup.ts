import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { Gauge, Registry } from 'prom-client'
import { createMetricsServer } from '../lib/metrics/metrics_server.ts'
import { CommandError, Exit, type Terminal, settings } from './_command.ts'
import { duration, wholeNumber } from './_options.ts'
import { bind } from './_serving.ts'
import { withBackupDatabase } from './backup/database.ts'
import { backupName, newestBackupAt, pruneBackups } from './backup/folder.ts'
import { writeBackup } from './backup/write.ts'

interface Options {
  dir: string
  every?: number
  keep?: number
}

/** With --every, how soon to retry after a failure. */
const RETRY_MS = 60_000

/** `flagmeter backup [file]` */
export const backupCommand = (terminal: Terminal): Command =>
  new Command('backup')
    .description(
      'Writes FlagMeter’s whole schema to one compressed file: a consistent snapshot, while everything runs. ' +
        'Also works for the embedded database, whether `flagmeter up` is running or not.',
    )
    .argument('[file]', 'the file to write; - is standard output; default: a name with the time, in --dir')
    .option('--dir <folder>', 'folder for the backups', '.')
    .option('--every <time>', 'keep running, and make a backup this often, like 24h', duration)
    .option('--keep <n>', 'keep this many backups in --dir, and delete older ones', wholeNumber)
    .addHelpText(
      'after',
      `
Straight from the database: it needs no server, and reads everything in one snapshot.

Example:
  $ flagmeter backup before-the-upgrade.dump
  $ flagmeter backup --dir /backups --every 24h --keep 7
  $ flagmeter backup - | ssh elsewhere 'cat >flagmeter.dump'`,
    )
    .action(async (file: string | undefined, { dir, every, keep }: Options) => {
      if (file !== undefined && (every ?? keep) !== undefined)
        throw new CommandError('--every and --keep choose the names of the files: leave the file out', Exit.usage)
      if (keep === 0) throw new CommandError('--keep must be at least 1', Exit.usage)
      if (file === '-') return await dump(terminal, terminal.out)
      if (every !== undefined) return await repeat(terminal, { dir, every, ...(keep && { keep }) })
      await backUp(terminal, file ?? join(dir, backupName(new Date())))
      if (keep) await pruneBackups(dir, keep)
    })

const dump = (terminal: Terminal, to: NodeJS.WritableStream): Promise<void> =>
  withBackupDatabase(terminal, (config) => writeBackup(config, to, terminal.stop))

/**
 * Writes to another name first, so that a file with a backup's name is always complete and on disk. Returns its size.
 */
async function backUp(terminal: Terminal, file: string): Promise<number> {
  const partial = `${file}.partial`
  let handle: FileHandle | undefined
  try {
    handle = await open(partial, 'w', 0o600)
    await dump(terminal, handle.createWriteStream({ flush: true }))
    await rename(partial, file)
  } catch (error) {
    await handle?.close()
    await rm(partial, { force: true })
    if (terminal.stop.aborted) throw new CommandError('stopped')
    const { syscall = '', message } = error as NodeJS.ErrnoException
    throw /^(open|write|fsync|rename)$/.test(syscall) ? new CommandError(`can't write ${file}: ${message}`) : error
  }
  const { size } = await stat(file)
  terminal.out.write(`${file}: ${(size / 1e6).toFixed(1)} MB\n`)
  return size
}

/** Makes a backup whenever the newest is old enough, until stopped. Failures are reported and retried. */
async function repeat(terminal: Terminal, { dir, every, keep }: Options & { every: number }): Promise<void> {
  const { stop, err } = terminal
  const registers = [new Registry()]
  const gauge = (name: string, help: string) => new Gauge({ name: `flagmeter_backup_${name}`, help, registers })
  const at = gauge('last_success_timestamp_seconds', 'When the newest backup was finished')
  const bytes = gauge('size_bytes', 'Size of the newest backup')
  const { host, metricsPort } = settings(terminal)
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
      bytes.set(await backUp(terminal, join(dir, backupName(new Date()))))
      if (keep) await pruneBackups(dir, keep)
    } catch (error) {
      if (stop.aborted) return
      err.write(`flagmeter: no backup: ${(error as Error).message}; trying again in ${RETRY_MS / 1000} s\n`)
      await sleep(RETRY_MS, undefined, { signal: stop }).catch(() => {})
    }
  }
}
