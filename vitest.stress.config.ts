import { defineConfig } from 'vitest/config'
import usual from './vitest.config.ts'

/** Tests of `npm test` that have a larger count here. */
const LARGE = [
  'access',
  'deadlocks',
  'deliver_faults',
  'fuzz',
  'kill',
  'overview',
  'quota_model',
  'quota_race',
  'rolling',
  'stream',
  'tenant_model',
]

/** Tests that have large counts, or measure how long others wait: one after another, with the machine to themselves. */
export default defineConfig({
  test: {
    ...usual.test,
    include: ['test/stress/**/*.test.ts', 'test/attacks/**/*.test.ts', ...LARGE.map((name) => `test/${name}.test.ts`)],
    exclude: [],
    provide: { isStress: true },
    fileParallelism: false,
    testTimeout: 900_000,
  },
})
