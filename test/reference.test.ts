import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { referencePages } from '../docs/reference/_pages.ts'

test('docs/reference is what `npm run reference` writes', async () => {
  const pages = Object.entries(await referencePages())
  expect(pages.length).toBe(3)
  for (const [name, page] of pages)
    expect(await readFile(join(import.meta.dirname, '../docs/reference', name), 'utf8')).toBe(page)
})
