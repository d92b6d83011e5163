import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findFolder } from './_folder.ts'

/** The folder `sql/`: beside `lib/` in a checkout, two levels above a bundle. */
export const sqlFolder = findFolder(['sql'], 'migrations')

/** The text of `sql/<name>.sql`. Read once, when a module loads: a missing file stops the process at its start. */
export const loadSql = (name: string): string => readFileSync(join(sqlFolder, `${name}.sql`), 'utf8')
