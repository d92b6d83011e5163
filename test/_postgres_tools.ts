import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openEmbeddedPostgres } from '../lib/embedded/postgres.ts'
import { existsOnPath } from './_valkey.ts'

/** What the embedded server is; pg_dump refuses servers that are newer than itself. */
const EMBEDDED = 18

/** The version of the pg_dump on the PATH; undefined without one. */
const dumpVersion = existsOnPath('pg_dump')
  ? Number(/ (\d+)\./.exec(execFileSync('pg_dump', ['--version'], { encoding: 'utf8' }))?.[1])
  : undefined
/** Where Debian has the server of that version. */
const folder = `/usr/lib/postgresql/${dumpVersion}/bin`

/** Whether there is a pg_dump, and a server that it can read. */
export const canDump = dumpVersion !== undefined && (dumpVersion >= EMBEDDED || existsSync(join(folder, 'postgres')))

/** A server of the test's own that the pg_dump on the PATH can read; the URL of its empty database. */
export async function startDumpableServer(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'flagmeter-backup-'))
  const paths = Object.fromEntries(['initdb', 'postgres', 'pg_ctl'].map((name) => [name, join(folder, name)]))
  const binaries = paths as Record<'initdb' | 'postgres' | 'pg_ctl', string>
  const server = await openEmbeddedPostgres({
    dir,
    settings: { fsync: 'off' },
    ...(dumpVersion! < EMBEDDED && { binaries }),
  })
  onTestFinished(async () => {
    await server.release()
    await rm(dir, { recursive: true, force: true })
  })
  return server.url
}
