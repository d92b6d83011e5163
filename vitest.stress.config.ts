import { defineConfig } from 'vitest/config'
import usual from './vitest.config.ts'

/** Tests of `npm test` that have a larger count here, or hold a time that was promised. */
const FROM_THE_USUAL = [
  'access',
  'cli_commands',
  'database',
  'deadlocks',
  'deliver_faults',
  'fuzz',
  'group',
  'http',
  'kill',
  'lifecycle',
  'load',
  'load_replay',
  'lookup',
  'metrics',
  'overview',
  'price_model',
  'quota_model',
  'quota_race',
  'reports',
  'retention',
  'rolling',
  'session',
  'stream',
  'tenant_model',
  'up',
  'user_quotas',
]

/**
 * The tests that have large counts, or measure how long others wait: one after another, with the machine for
 * themselves.
 */
export default defineConfig({
  test: {
    ...usual.test,
    include: [
      'test/stress/**/*.test.ts',
      'test/attacks/**/*.test.ts',
      ...FROM_THE_USUAL.map((name) => `test/${name}.test.ts`),
    ],
    exclude: [],
    provide: { isStress: true },
    fileParallelism: false,
    testTimeout: 900_000,
  },
})
