import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import postgres from 'postgres'
import { openEmbeddedPostgres } from '../lib/embedded/postgres.ts'
import { durabilitySettings } from '../lib/store/valkey.ts'
import { findServer, startNativeValkey } from '../test/_valkey.ts'

/** Something to open once and release once. */
export interface Store {
  url: string
  /** Undefined if somebody else started it or it has many processes. */
  pid?: number
  release(): Promise<void>
}

/** The embedded PostgreSQL; with DATABASE_URL, a new database on that server, since the bench empties tables. */
export async function openPostgres(): Promise<Store> {
  if (process.env.DATABASE_URL) return await openOwnDatabase(process.env.DATABASE_URL)
  const dir = await mkdtemp(join(tmpdir(), 'flagmeter-bench-'))
  const remove = () => rm(dir, { recursive: true, force: true })
  try {
    const embedded = await openEmbeddedPostgres({ dir })
    const release = async () => {
      await embedded.release()
      await remove()
    }
    return { url: embedded.url, release }
  } catch (error) {
    await remove()
    throw error
  }
}

async function openOwnDatabase(serverUrl: string): Promise<Store> {
  const server = postgres(serverUrl, { max: 1, onnotice: () => {} })
  const name = `bench_${randomUUID().replaceAll('-', '')}`
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  try {
    await server`create database ${server(name)}`
  } catch (error) {
    await server.end()
    throw error
  }
  return {
    url: url.href,
    async release() {
      await server`drop database ${server(name)} with (force)`
      await server.end()
    },
  }
}

/**
 * VALKEY_URL, or else a native server with the durable settings; undefined if there is none. WebAssembly would give no
 * useful figures.
 */
export async function openValkey(): Promise<Store | undefined> {
  if (process.env.VALKEY_URL) return await useValkey(process.env.VALKEY_URL)
  const command = findServer()
  return command === undefined ? undefined : await startNativeValkey(command)
}

async function useValkey(url: string): Promise<Store> {
  const client = new Redis(url, { maxRetriesPerRequest: 1 })
  client.on('error', () => {}) // the command below reports it
  try {
    await client.ping()
    for (const { name, wanted, value } of await durabilitySettings(client))
      if (value !== wanted) console.error(`VALKEY_URL has ${name} '${value}', not '${wanted}': its rows say less`)
  } finally {
    client.disconnect()
  }
  return { url, release: async () => {} }
}

/** Removes a stream from a server that outlives the bench. */
export async function removeStream(url: string, name: string): Promise<void> {
  const client = new Redis(url, { maxRetriesPerRequest: 1 })
  client.on('error', () => {})
  await client.del(name).finally(() => client.disconnect())
}
