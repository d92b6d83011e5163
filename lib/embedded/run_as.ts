import { type ChildProcess, type SpawnOptions, execFileSync, spawn, spawnSync } from 'node:child_process'

/** Who runs PostgreSQL, which refuses to run as root. */
export interface RunAs {
  /** Set when that is another user than ours: what it must write has to be handed to it. */
  uid?: number
  gid?: number
  spawn: (command: string, args: string[], options: SpawnOptions) => ChildProcess
}

/** The users to look for, in this order; the last one is made when none is there. */
const USERS = ['postgres', 'flagmeter']

/**
 * An ordinary user runs it as itself. Root runs it as a system user; when a folder on the way to the binaries or to
 * `dir` is closed to that user (a checkout in /root, say), with one capability beside: to pass closed folders.
 * @throws Error in one line when no way is left
 */
export function chooseUser(binary: string, dir: string): RunAs {
  if (process.getuid?.() !== 0) return { spawn }
  const { uid, gid } = findUser() ?? makeUser()
  if (passes({ uid, gid }, binary, dir))
    return { uid, gid, spawn: (command, args, options) => spawn(command, args, { ...options, uid, gid }) }
  // Without no_setuid_fixup, access() asks for the rights of the user alone.
  for (const capability of ['dac_read_search', 'dac_override']) {
    const wrapper = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--securebits=+no_setuid_fixup']
    wrapper.push(`--inh-caps=+${capability}`, `--ambient-caps=+${capability}`, '--')
    if (spawnSync('setpriv', [...wrapper, 'test', '-x', binary, '-a', '-x', dir]).status !== 0) continue
    return { uid, gid, spawn: (command, args, options) => spawn('setpriv', [...wrapper, command, ...args], options) }
  }
  throw new Error(
    'the system user that runs PostgreSQL may not enter the folder; move it (to /opt, say), or set DATABASE_URL',
  )
}

const passes = (user: { uid: number; gid: number }, binary: string, dir: string): boolean =>
  spawnSync('test', ['-x', binary, '-a', '-x', dir], { ...user, cwd: '/' }).status === 0

function findUser(): { uid: number; gid: number } | undefined {
  for (const name of USERS) {
    const ids = ['-u', '-g'].map((flag) => Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout || NaN))
    if (ids.every((id) => id > 0)) return { uid: ids[0]!, gid: ids[1]! }
  }
  return undefined
}

function makeUser(): { uid: number; gid: number } {
  const name = USERS.at(-1)!
  try {
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', name], {
      stdio: 'ignore',
    })
  } catch {
    spawnSync('adduser', ['-S', '-D', '-H', name]) // BusyBox has no useradd
  }
  const user = findUser()
  if (!user)
    throw new Error(
      'PostgreSQL does not run as root, and a system user for it could not be made; ' +
        'run as an ordinary user, or set DATABASE_URL',
    )
  return user
}
