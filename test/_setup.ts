import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { openDatabase } from '../lib/store/database.ts'
import { openEmbeddedPostgres } from '../lib/embedded/postgres.ts'
import { migrate } from '../lib/store/migrate.ts'
import { BUNDLES } from './_cli.ts'
import { startValkey } from './_valkey.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a server whose database `flagmeter` is migrated and empty: the template of every test's own. */
    templateUrl: string
    valkeyUrl: string
    /** A native Valkey or Redis server on the PATH; undefined: fault tests can't run. */
    valkeyServer: string | undefined
  }
}

/** Builds the bundles and starts one PostgreSQL and one Valkey for the whole run. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  execFileSync(process.execPath, ['esbuild.config.mjs', BUNDLES], { stdio: 'inherit' })
  const dir = await mkdtemp(join(tmpdir(), 'flagmeter-test-'))
  // The tests are about behaviour; those about durability start a server of their own.
  const postgres = await openEmbeddedPostgres({ dir, settings: { fsync: 'off', max_connections: '300' } })
  const template = openDatabase({ databaseUrl: postgres.url, databasePoolSize: 1 })
  await migrate(template)
  await template.end()
  const valkey = await startValkey()
  project.provide('templateUrl', postgres.url)
  project.provide('valkeyUrl', valkey.url)
  project.provide('valkeyServer', valkey.command)
  return async () => {
    await valkey.release()
    await postgres.release()
    await rm(dir, { recursive: true, force: true })
  }
}
