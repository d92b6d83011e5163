import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/stress/**'],
    globalSetup: ['test/_setup.ts'],
    provide: { isStress: false },
    // More than there are cores: tests spend more time waiting for stores, processes and pauses than working.
    maxWorkers: 5,
    // Modules are loaded once per worker, not once per file: that took a fifth of the time.
    isolate: false,
    // Long, since they only catch tests that never end. On two busy cores, starting the embedded database alone may
    // take half a minute.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    reporters: ['default', './test/_skipped_reporter.ts'],
  },
})
