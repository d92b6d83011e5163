import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

test('no line of code is longer than 120 characters, comments, SQL and tests included', async () => {
  const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n')
  const files = tracked.filter((file) => /\.(ts|tsx|mjs|sql|sh)$/.test(file) && file !== 'dashboard/api_types.ts')
  expect(files.length).toBeGreaterThan(100)
  const long: string[] = []
  for (const file of files) {
    for (const [i, line] of (await readFile(join(root, file), 'utf8')).split('\n').entries())
      if (line.length > 120) long.push(`${file}:${i + 1}`)
  }
  expect(long).toEqual([])
})
