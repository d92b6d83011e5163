import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import { emptyFolder } from './_folder.ts'

/** Copies the folder of a stopped embedded server, ownership included. Returns the copy. */
export async function copyCluster(from: string, to: string): Promise<string> {
  await promisify(execFile)('cp', ['-a', from, to])
  return to
}

/** A folder as an earlier start of the embedded server left it, migrated and empty. Removed after the test. */
export const clusterFolder = async (): Promise<string> =>
  await copyCluster(join(inject('storesDir'), 'cluster'), join(await emptyFolder(inject('storesDir')), 'data'))
