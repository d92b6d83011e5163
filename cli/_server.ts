import { type Command, Option } from 'commander'
import { CommandError, Exit, type Terminal, settings } from './_command.ts'
import { withDirectServer } from './_direct.ts'
import type { Server } from './_http.ts'
import { readAdminKey, readUpFile } from './_up_file.ts'

/** The options of every command that goes over HTTP. */
export interface ServerOptions {
  url?: string | undefined
  direct?: boolean | undefined
  json?: boolean | undefined
}

export const URL_OPTION = ['--url <url>', 'the server; default: FLAGMETER_URL, or the local `up`'] as const

/**
 * Adds these options after the command's own. `webhook create` uses `--url` for the webhook, so it takes its server
 * from FLAGMETER_URL.
 */
export function overHttp(command: Command): Command {
  const direct = new Option(
    '--direct',
    'without a server or key: go straight to the database (DATABASE_URL, or that of the local `up`)',
  )
  if (!command.options.some(({ long }) => long === '--url')) {
    command.option(...URL_OPTION)
    direct.conflicts('url')
  }
  return command.addOption(direct).option('--json', 'print JSON')
}

/** Calls `work` with a server: the one in the settings or `--url`, or with `--direct` one in this process. */
export const withServer = async <T>(
  terminal: Terminal,
  { url, direct }: ServerOptions,
  work: (server: Server) => Promise<T>,
): Promise<T> => (direct ? await withDirectServer(terminal, work) : await work(serverOf(terminal, url)))

/**
 * The server to use: `--url`, FLAGMETER_URL, the local `up`, or the default port. The key is FLAGMETER_KEY. For servers
 * on this machine only, it defaults to the first admin key, in FLAGMETER_DIR or FLAGMETER_ADMIN_KEY.
 */
export function serverOf(terminal: Terminal, option: string | undefined): Server {
  const config = settings(terminal)
  const url = option ?? config.url ?? readUpFile(config.dir)?.url ?? `http://127.0.0.1:${config.port}`
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new CommandError(`--url must be a URL like http://127.0.0.1:3000, not '${url}'`, Exit.usage)
  }
  const local = /^(localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\])$/.test(new URL(url).hostname)
  const key = config.key ?? (local ? (readAdminKey(config.dir) ?? config.adminKey) : undefined)
  return { url: url.replace(/\/+$/, ''), ...(key && { key }) }
}
