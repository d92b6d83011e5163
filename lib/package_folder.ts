import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * The nearest folder of one of these paths, here or above, that holds `marker`: what lies beside `lib/` in a checkout
 * lies above a bundle.
 * @throws when there is none
 */
export function findFolder(paths: string[], marker: string): string {
  for (let from = import.meta.dirname; ; from = dirname(from)) {
    const folder = paths.map((path) => join(from, path)).find((path) => existsSync(join(path, marker)))
    if (folder !== undefined) return folder
    if (dirname(from) === from)
      throw new Error(`the folder ${paths.at(-1)}/ is missing; npm run build makes what is built`)
  }
}
