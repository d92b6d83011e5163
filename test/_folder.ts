import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** An empty folder, removed after the test. */
export async function emptyFolder(within = tmpdir()): Promise<string> {
  const dir = await mkdtemp(join(within, 'flagmeter-test-'))
  await chmod(dir, 0o755) // the embedded PostgreSQL runs as its own user, who must be able to enter
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}
