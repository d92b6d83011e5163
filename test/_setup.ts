import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { openDatabase } from '../lib/store/connection.ts'
import { openEmbeddedPostgres } from '../lib/embedded/postgres.ts'
import { migrate } from '../lib/store/migrate.ts'
import { BUNDLES } from './_cli.ts'
import { copyCluster } from './_cluster.ts'
import { startValkey } from './_valkey.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a server whose database `flagmeter` is migrated and empty: the template of every test's database. */
    templateUrl: string
    valkeyUrl: string
    /** A native Valkey or Redis server on the PATH; undefined: fault tests can't run. */
    valkeyServer: string | undefined
    /** Where the tests' stores write; `cluster` in it is a data folder of the embedded server, migrated and empty. */
    storesDir: string
    /** See `_counts.ts`. */
    isStress: boolean
  }
}

/** Fast instead of durable: tests about durability start their own server. */
const FAST = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  max_connections: '400',
  max_wal_size: '256MB',
}
const ROOM = 2 * 1024 ** 3

/** In memory where there is room: on a disk, creating a database per test takes longer than most tests. */
async function makeFolder(): Promise<string> {
  const { bavail, bsize } = await statfs('/dev/shm').catch(() => ({ bavail: 0, bsize: 0 }))
  const dir = await mkdtemp(join(bavail * bsize > ROOM ? '/dev/shm' : tmpdir(), 'flagmeter-test-'))
  await chmod(dir, 0o755) // PostgreSQL runs as its own user
  return dir
}

/** Builds the bundles and starts one PostgreSQL and one Valkey for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  execFileSync(process.execPath, ['esbuild.config.mjs', BUNDLES], { stdio: 'inherit' })
  const dir = await makeFolder()
  const clusterDir = join(dir, 'cluster')
  const first = await openEmbeddedPostgres({ dir: clusterDir, settings: FAST })
  const template = openDatabase({ databaseUrl: first.url, databasePoolSize: 1 })
  await migrate(template)
  await template.end()
  await first.release()
  const postgres = await openEmbeddedPostgres({ dir: await copyCluster(clusterDir, join(dir, 'run')), settings: FAST })
  const valkey = await startValkey(dir)
  project.provide('templateUrl', postgres.url)
  project.provide('storesDir', dir)
  project.provide('valkeyUrl', valkey.url)
  project.provide('valkeyServer', valkey.command)
  return async () => {
    await valkey.release()
    await postgres.release()
    await rm(dir, { recursive: true, force: true })
  }
}
