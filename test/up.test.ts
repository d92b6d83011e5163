import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Started, runCli, startCli } from './_cli.ts'
import { createDatabase, until } from './_context.ts'
import { emptyFolder } from './_folder.ts'

/** No setting of the harness: the first start makes a key. */
const OWN_KEY = { FLAGMETER_ADMIN_KEY: '', FLAGMETER_KEY: '', PORT: '0' }
async function stop({ child, finished }: Started): Promise<void> {
  child.kill('SIGINT')
  expect((await finished).code).toBe(0)
}

describe('a folder that can not be had is one line within seconds', () => {
  test.each<[string, (dir: string) => Promise<string>, RegExp]>([
    ['below /proc', () => Promise.resolve('/proc/flagmeter/data'), /ENOENT: no folder can be made there/],
    ['/proc itself', () => Promise.resolve('/proc'), /can't write to \/proc /],
    ['below a device', () => Promise.resolve('/dev/null/x'), /ENOTDIR: a file is in the way/],
    [
      'a file',
      async (dir) => {
        await writeFile(join(dir, 'file'), '')
        return join(dir, 'file')
      },
      /ENOTDIR: a file is in the way/,
    ],
    [
      'a link that leads nowhere',
      async (dir) => {
        await symlink(join(dir, 'gone/away'), join(dir, 'link'))
        return join(dir, 'link')
      },
      /ENOENT: .* a link leads nowhere/,
    ],
    [
      'below a link that leads nowhere',
      async (dir) => {
        await symlink(join(dir, 'gone/away'), join(dir, 'link'))
        return join(dir, 'link/data')
      },
      /ENOENT: .* a link leads nowhere/,
    ],
    [
      'a link in a circle',
      async (dir) => {
        await symlink(join(dir, 'circle'), join(dir, 'circle'))
        return join(dir, 'circle/data')
      },
      /ELOOP/,
    ],
    ['a name too long', (dir) => Promise.resolve(join(dir, 'x'.repeat(300))), /ENAMETOOLONG: the path is too long/],
    [
      'a path too long for PostgreSQL',
      (dir) => Promise.resolve(join(dir, ...Array.from({ length: 12 }, () => 'x'.repeat(100)))),
      /path is too long for PostgreSQL/,
    ],
  ])('%s', async (_name, make, message) => {
    const FLAGMETER_DIR = await make(await emptyFolder())
    const at = performance.now()
    const { code, err } = await runCli(['up'], { ...OWN_KEY, FLAGMETER_DIR })
    expect([code, err.trim().split('\n')]).toEqual([1, [expect.stringMatching(message)]])
    expect(err).toMatch(/^flagmeter: /)
    expect(performance.now() - at).toBeLessThan(20_000)
  })

  test('also for `serve`, whose key can not be written: it says so, and stops when it is told to', async () => {
    const env = { DATABASE_URL: await createDatabase(), FLAGMETER_DIR: '/proc/flagmeter/data' }
    const serving = startCli(['serve'], { ...OWN_KEY, ...env })
    await until(() => serving.output().includes('no admin key yet'), 30_000)
    expect(serving.output()).toContain('ENOENT: no folder can be made there')
    await stop(serving)
  })
})
