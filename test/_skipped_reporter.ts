import type { Reporter, TestModule } from 'vitest/node'

/** Names every skipped test at the end of the run: what was not checked must not vanish. */
export default class SkippedReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const skipped = modules.flatMap((module) => [...module.children.allTests('skipped')])
    for (const test of skipped) console.log(`not run: ${test.fullName}`)
  }
}
