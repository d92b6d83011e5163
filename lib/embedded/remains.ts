import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { chown, readFile, readdir, readlink, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EmbeddedPostgresError } from './binaries.ts'

const STOP_TIMEOUT_MS = 30_000

/**
 * Stops what is left of an earlier server on this folder: the server itself, when its owner was killed with SIGKILL;
 * its children, when it was. A process that only got its number is left alone.
 */
export async function stopRemains(dir: string, data: string): Promise<void> {
  // Windows has no command line to look at; there PostgreSQL itself says when another one runs.
  if (process.platform === 'win32') return
  const pidFile = join(data, 'postmaster.pid')
  const content = await readFile(pidFile, 'utf8').catch(missing)
  const pid = Number.parseInt(content ?? '', 10)
  if (pid > 0) await stopServer(pid, data)
  await stopChildren(data)
  // Cut off by a full disk; PostgreSQL would refuse it forever.
  if (content !== undefined && !(pid > 0)) return await rm(pidFile)
  await disown(pidFile, join(dir, 'postgres.new-pid'))
}

async function stopServer(pid: number, data: string): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    const end = performance.now() + STOP_TIMEOUT_MS
    if (servesFolder(pid, data)) process.kill(pid, signal)
    while (servesFolder(pid, data) && performance.now() < end) await sleep(20)
  }
  if (servesFolder(pid, data)) throw new EmbeddedPostgresError(`process ${pid} serves ${data} and does not stop`)
}

/**
 * A server killed with SIGKILL leaves children, each in a process group of its own. Most end by themselves at once; one
 * that works or hangs still holds the shared memory, and none may write beside the next server. Where they can't be
 * found (not on Linux, or by root without the capability to look), the next start waits for the memory.
 */
async function stopChildren(data: string): Promise<void> {
  if (process.platform !== 'linux') return
  const folder = await realpath(data).catch(missing)
  if (folder === undefined) return
  for (const [signal, graceMs] of STEPS) {
    const end = performance.now() + graceMs
    for (const pid of await childrenOf(folder)) sendSignal(pid, signal)
    while ((await childrenOf(folder)).length > 0 && performance.now() < end) await sleep(20)
  }
}

/** PostgreSQL ends at SIGQUIT without touching the shared memory; a process that is stopped or hangs needs SIGKILL. */
const STEPS = [
  [0, 500],
  ['SIGQUIT', 2_000],
  ['SIGKILL', 5_000],
] as const

function sendSignal(pid: number, signal: NodeJS.Signals | 0): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}

/** Processes that PostgreSQL has named (`postgres: checkpointer`) and that work in this folder: a zombie does not. */
async function childrenOf(folder: string): Promise<number[]> {
  const found = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => {
        if ((await readlink(`/proc/${pid}/cwd`).catch(() => '')) !== folder) return []
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
        return command.startsWith('postgres: ') ? [Number(pid)] : []
      }),
  )
  return found.flat()
}

/**
 * PostgreSQL refuses to start while any process of its user has the number in the file, but knows its parent's, ours,
 * to be stale. The rest of the file stays: by it PostgreSQL finds children of the dead server that still hold its
 * memory.
 */
async function disown(pidFile: string, fresh: string): Promise<void> {
  const content = await readFile(pidFile, 'utf8').catch(missing)
  if (content === undefined) return
  const { uid, gid } = await stat(pidFile)
  await rm(fresh, { force: true })
  await writeFile(fresh, content.replace(/^\d+/, String(process.pid)), { mode: 0o600, flag: 'wx' })
  await chown(fresh, uid, gid)
  await rename(fresh, pidFile)
}

/** Exactly `<path>/postgres -D <data> …`: a shell or an editor that has this line among its arguments is not one. */
function servesFolder(pid: number, data: string): boolean {
  const linux = process.platform === 'linux'
  const gap = linux ? '\0' : ' '
  try {
    const command = linux
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      : execFileSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' })
    const [program = '', ...rest] = command.split(`${gap}-D${gap}${data}${gap}`)
    return rest.length > 0 && basename(program) === 'postgres' && (linux ? !program.includes(gap) : existsSync(program))
  } catch {
    return false
  }
}

/** Only a missing folder is made: one that we can't read may hold a database. */
export function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
