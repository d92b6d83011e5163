import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, link, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import type { Config } from '../lib/config.ts'
import { openContext } from '../lib/context.ts'
import { openDatabase } from '../lib/store/database.ts'
import { EmbeddedPostgresError } from '../lib/embedded/postgres.ts'
import { makeFolder, writeTrouble } from '../lib/embedded/folder.ts'
import { keepEmbeddedPostgres } from '../lib/embedded/keeper.ts'
import { migrate } from '../lib/store/migrate.ts'
import { type FirstKey, IGNORED, ensureAdminKey } from './_admin_key.ts'
import { CommandError, Exit, type Terminal, settings } from './_command.ts'
import { loadHandlers } from './_handlers.ts'
import {
  aborted,
  consume,
  consumersOf,
  endpointsOf,
  listen,
  listenError,
  listenMetrics,
  settleHeap,
} from './_serving.ts'
import { type UpFile, adminKeyFile, readAdminKey, readUpFile } from './_up_file.ts'
import { offerExamples } from './seed.ts'

/** `flagmeter up` */
export const upCommand = (terminal: Terminal): Command =>
  new Command('up')
    .description(
      'Runs everything in one process: an embedded PostgreSQL (or DATABASE_URL), every handler and every consumer.',
    )
    .addHelpText(
      'after',
      `
Data stays in .flagmeter/ (FLAGMETER_DIR). Ctrl-C drains and stops; a second start finds everything again.

Example:
  $ flagmeter up
  $ PORT=8080 flagmeter up`,
    )
    .action(() => up(terminal))

async function up(terminal: Terminal): Promise<void> {
  const config = { ...settings(terminal), ...(terminal.env.LOG_LEVEL ? {} : { logLevel: 'warn' }) }
  const dir = resolve(config.dir)
  const release: (() => Promise<unknown>)[] = []
  const lost = new AbortController()
  try {
    await claimFolder(dir)
    release.push(() => rm(join(dir, 'up.json'), { force: true }))
    await probePort(config)
    const databaseUrl = config.databaseUrl ?? (await startDatabase(terminal, dir, release, lost))
    const firstKey = await prepare({ ...config, databaseUrl })
    const { ctx, release: close } = await openContext({ ...config, databaseUrl }, { stopping: terminal.stop })
    release.push(close)
    const metrics = await listenMetrics(ctx)
    release.push(async () => metrics?.close())
    const handlers = await loadHandlers([])
    const stopConsumers = new AbortController()
    const server = await listen(ctx, endpointsOf(handlers))
    const consuming = consume(ctx, consumersOf(handlers), stopConsumers.signal)
    release.push(async () => {
      stopConsumers.abort()
      await consuming
    })
    release.push(() => server.close())
    await writeUpFile(dir, { pid: process.pid, url: server.url, databaseUrl }, rename)
    settleHeap()
    welcome(terminal, server.url, { ...config, databaseUrl }, firstKey)
    await Promise.race([aborted(terminal.stop), aborted(lost.signal)])
    terminal.out.write('\nstopping …\n')
  } finally {
    for (const step of release.toReversed()) await step()
  }
  if (lost.signal.aborted) throw new CommandError(String(lost.signal.reason), Exit.unavailable)
  terminal.out.write('stopped\n')
}

/** Makes the folder this process's own. @throws CommandError when it can't be written or another `up` runs in it */
async function claimFolder(dir: string): Promise<void> {
  const claim = { pid: process.pid, url: '', databaseUrl: '' }
  try {
    await makeFolder(dir)
    await access(dir, constants.W_OK)
    if (await writeUpFile(dir, claim)) return
  } catch (error) {
    throw new CommandError(`can't write to ${dir} (${writeTrouble(error)}); set FLAGMETER_DIR to a folder of yours`)
  }
  const other = readUpFile(dir)
  if (other && (await isRunning(other)))
    throw new CommandError(`is running already at ${other.url || dir} (process ${other.pid})`)
  if (!(await removeStale(dir, other)) || !(await writeUpFile(dir, claim)))
    throw new CommandError(`is being started by another process in ${dir}`)
}

/** Removes what a killed one has left. False: another process has taken the folder meanwhile. */
async function removeStale(dir: string, stale: UpFile | undefined): Promise<boolean> {
  const taken = `up.json.${randomUUID()}`
  try {
    await rename(join(dir, 'up.json'), join(dir, taken))
    const found = readUpFile(dir, taken)
    const isStale = found === undefined || found.pid === stale?.pid
    if (!isStale) await link(join(dir, taken), join(dir, 'up.json'))
    return isStale
  } catch (error) {
    if (['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code!)) return false
    throw error
  } finally {
    await rm(join(dir, taken), { force: true })
  }
}

/** A process id may have been given to another program since: only an answer counts. While it starts, it has no URL yet. */
async function isRunning({ pid, url }: UpFile): Promise<boolean> {
  if (pid === process.pid) return false
  if (url === '') return true
  try {
    const answer = await fetch(`${url}/api/health/live`, { signal: AbortSignal.timeout(1_000) })
    return answer.ok
  } catch {
    return false
  }
}

/**
 * Puts the file in its place, whole from the first moment: by `link` only where there is none, by `rename` over its own.
 * False when there is one already. The database's URL holds its password: for the owner's eyes.
 */
async function writeUpFile(dir: string, content: UpFile, put = link): Promise<boolean> {
  const draft = join(dir, `up.json.${randomUUID()}`)
  try {
    await writeFile(draft, JSON.stringify(content), { mode: 0o600 })
    await put(draft, join(dir, 'up.json'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** A taken port is told before a database is started. */
async function probePort({ host, port }: Config): Promise<void> {
  await new Promise<void>((done, fail) => {
    const probe = createServer()
    probe.once('error', (error) => fail(listenError(error, host, port)))
    probe.listen(port, host, () => probe.close(() => done()))
  })
}

async function startDatabase(
  terminal: Terminal,
  dir: string,
  release: (() => Promise<unknown>)[],
  lost: AbortController,
): Promise<string> {
  terminal.out.write(`starting the database in ${dir} …\n`)
  const tell = (text: string) => terminal.err.write(`flagmeter: ${text}\n`)
  try {
    const database = await keepEmbeddedPostgres({
      dir,
      onRestart: (reason, pauseMs) => tell(`the database is away, starting it again in ${pauseMs} ms: ${reason}`),
      onBack: () => tell('the database is back'),
      onExit: (reason) => lost.abort(`the database stopped: ${reason}`),
    })
    release.push(() => database.release())
    return database.url
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw new CommandError(error.message)
    throw error
  }
}

/** Brings the database to this version, with the example tenants and an admin key. */
async function prepare(config: Config): Promise<FirstKey> {
  const database = openDatabase({ ...config, databasePoolSize: 1 })
  try {
    await migrate(database)
    await offerExamples(database)
    return await ensureAdminKey(database, config)
  } finally {
    await database.end({ timeout: 5 })
  }
}

/** Says what to try. Never the key, only where it is: what a terminal shows is kept in logs and screenshots. */
function welcome(
  { out }: Terminal,
  url: string,
  { valkeyUrl, dir, adminKey }: Config,
  { file, isIgnored }: FirstKey,
): void {
  const [key, place] =
    adminKey !== undefined && !isIgnored
      ? ['$FLAGMETER_ADMIN_KEY', 'the one in FLAGMETER_ADMIN_KEY']
      : readAdminKey(dir) !== undefined
        ? [
            `$(cat ${quote(adminKeyFile(dir))})`,
            `the one in ${adminKeyFile(dir)}, where commands on this machine find it`,
          ]
        : ['$FLAGMETER_KEY', 'one of yours, in FLAGMETER_KEY; `flagmeter key create --direct` makes more']
  const note = isIgnored ? IGNORED : file && `The first admin key is made: ${file}`
  out.write(`
FlagMeter is running at ${url} (${valkeyUrl ? 'events through Valkey' : 'events straight to PostgreSQL'}).
${note ? `${note}\n` : ''}
The dashboard is at ${url}/ and asks for a key: ${place}.
Try, in another terminal:

  curl -s ${url}/api/events -H "authorization: Bearer ${key}" -H 'content-type: application/json' -d '{"tenant":"acme-corp","feature":"gpt-4-turbo","tokens":1500}'
  npx flagmeter usage acme-corp
  npx flagmeter load --rps 200 --duration 10s
  npx flagmeter webhook create acme-corp --kind slack --url https://hooks.slack.com/services/…

Stop with Ctrl-C. The data stays.
`)
}

/** A path as one word of a shell, also within double quotes in `$(…)`. */
const quote = (path: string): string =>
  /^[\w./+-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`
