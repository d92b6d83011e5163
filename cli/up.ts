import { rename, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import type { Config } from '../lib/config.ts'
import { openContext } from '../lib/context.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { EmbeddedPostgresError } from '../lib/embedded/postgres.ts'
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
import { adminKeyFile, readAdminKey } from './_up_file.ts'
import { offerExamples } from './seed.ts'
import { claimFolder, writeUpFile } from './_up_folder.ts'

/** The rest of a curl command that reports an event. */
const EVENT = `-H 'content-type: application/json' -d '{"tenant":"acme-corp","feature":"gpt-4-turbo","tokens":1500}'`

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
  const config = { ...settings(terminal), ...(terminal.env.LOG_LEVEL ? {} : { logLevel: 'warn' as const }) }
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

/** Reports a taken port before the database is started. */
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

/** Says what to try. Shows only where the key is: terminal output ends up in logs and screenshots. */
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
  const note = isIgnored ? IGNORED : file && `Created the first admin key: ${file}`
  out.write(`
FlagMeter is running at ${url} (${valkeyUrl ? 'events through Valkey' : 'events straight to PostgreSQL'}).
${note ? `${note}\n` : ''}
The dashboard is at ${url}/ and asks for a key: ${place}.
Try, in another terminal:

  curl -s ${url}/api/events -H "authorization: Bearer ${key}" ${EVENT}
  npx flagmeter usage acme-corp
  npx flagmeter load --rps 200 --duration 10s
  npx flagmeter webhook create acme-corp --kind slack --url https://hooks.slack.com/services/…

Stop with Ctrl-C. The data stays.
`)
}

/** A path as one shell word, also inside double quotes in `$(…)`. */
const quote = (path: string): string =>
  /^[\w./+-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`
