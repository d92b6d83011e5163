import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findFolder } from '../package_folder.ts'

const texts = new Map<string, string>()
let folder: string | undefined

/** The folder `sql/`: at the root of a checkout, above the bundles of a package. */
export const sqlFolder = (): string => (folder ??= findFolder(['sql'], 'migrations'))

/** The text of `sql/<name>.sql`, read from the disk when it is first asked for. */
export function loadSql(name: string): string {
  const known = texts.get(name)
  if (known !== undefined) return known
  const text = readFileSync(join(sqlFolder(), `${name}.sql`), 'utf8')
  texts.set(name, text)
  return text
}
