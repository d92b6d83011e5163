import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** The folder `sql/`: beside `lib/` in a checkout, two levels above a bundle. */
export const sqlFolder = find(import.meta.dirname)

/** The text of `sql/<name>.sql`. Read once, when a module loads: a missing file stops the process at its start. */
export const loadSql = (name: string): string => readFileSync(join(sqlFolder, `${name}.sql`), 'utf8')

function find(from: string): string {
  const folder = join(from, 'sql')
  if (existsSync(join(folder, 'migrations'))) return folder
  if (dirname(from) === from) throw new Error('the folder sql/ is missing beside the bundles')
  return find(dirname(from))
}
