import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/stress/**'],
    globalSetup: ['test/_setup.ts'],
    provide: { isStress: false },
    // More than there are cores: tests wait, for stores, processes and pauses, more than they work.
    maxWorkers: 5,
    // Long: they are for what never ends. On two busy cores a start of the embedded database alone may take half a
    // minute.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ['default', './test/_skipped_reporter.ts'],
  },
})
