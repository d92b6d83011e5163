import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { CommandError, Exit, type Terminal } from './_command.ts'

/** pg_dump or pg_restore at work. */
export interface PgTool {
  child: ChildProcess
  /** Resolves at exit code 0. @throws CommandError with the last thing it said */
  done: Promise<void>
}

/** Starts a client program of PostgreSQL on this database. The password goes through the environment: others see the arguments. */
export function startPgTool(
  { env, stop }: Terminal,
  command: 'pg_dump' | 'pg_restore',
  databaseUrl: string,
  args: string[],
): PgTool {
  const url = new URL(databaseUrl)
  const password = decodeURIComponent(url.password)
  url.password = ''
  const child = spawn(command, [...args, `--dbname=${url.href}`], {
    env: { ...env, PGPASSWORD: password, PGCONNECT_TIMEOUT: '10' },
    signal: stop,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  return { child, done: finished(child, command) }
}

async function finished(child: ChildProcess, command: string): Promise<void> {
  let said = ''
  child.stderr!.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4_000)))
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    if (code === 0) return
    const lines = said.trim().split('\n')
    const errors = lines.filter((line) => /error|fatal|detail/i.test(line)).slice(0, 2)
    throw new CommandError((errors.length > 0 ? errors : lines.slice(-1)).join('; ') || `${command} was stopped`)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ABORT_ERR') throw new CommandError('stopped')
    if (code !== 'ENOENT') throw error
    throw new CommandError(
      `${command} is not on the PATH: install the client of PostgreSQL, as new as the server`,
      Exit.unavailable,
    )
  }
}
