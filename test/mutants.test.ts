import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as mutants from './faults/_mutants.ts'

const root = join(import.meta.dirname, '..')

test('the mistakes that the fault experiments build in still fit the sources', () => {
  const all = Object.values(mutants).filter((mutant) => typeof mutant === 'object' && 'edits' in mutant)
  expect(all.length).toBeGreaterThan(10)
  for (const { name, edits } of all)
    for (const { file, from } of edits)
      expect([name, file, readFileSync(join(root, file), 'utf8').split(from).length - 1]).toEqual([name, file, 1])
})
