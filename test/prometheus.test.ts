import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { openMetrics } from '../lib/metrics/metrics.ts'
import { existsOnPath } from './_valkey.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFile(join(root, file), 'utf8')
const promtool = (...args: string[]) => promisify(execFile)('promtool', args, { cwd: root })

/** The tests of the rules. */
const RULES = ['test/prometheus_rules.yml', 'test/prometheus_rules_days.yml']

interface Rule {
  alert: string
  expr: string
  labels: { severity: string }
  annotations: { summary: string; runbook: string }
}

const rules = async () =>
  (parse(await read('docker/prometheus/alerts.yml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
    (group) => group.rules,
  )

describe.skipIf(!existsOnPath('promtool'))('promtool (needs promtool on the PATH: apt-get install prometheus)', () => {
  test('accepts the configuration and the rules', async () => {
    const { stdout } = await promtool('check', 'config', 'docker/prometheus/prometheus.yml')
    expect(stdout).toMatch(/SUCCESS: 12 rules found/)
  })

  test('sees every alert fire when it should, and stay silent when it should', async () => {
    await promtool('test', 'rules', ...RULES)
  })

  test("accepts the metrics' names", async () => {
    const text = await openMetrics().registry.metrics()
    // Node's own metrics come from a library; two of its names break the conventions.
    const own = text
      .split('\n\n')
      .filter((block) => /^# HELP (flagmeter|http)_/.test(block))
      .join('\n')
    const done = promtool('check', 'metrics')
    done.child.stdin!.end(`${own}\n`)
    expect((await done).stderr).toBe('')
  })
})

test('every alert has its section in the runbook, in the same order, with its severity, and says so', async () => {
  const sections = [...(await read('docs/runbook.md')).matchAll(/^## (\w+)\n\n(page|ticket)\./gm)]
  expect(sections.map(([, name, severity]) => [name, severity])).toEqual(
    (await rules()).map(({ alert, labels }) => [alert, labels.severity]),
  )
  for (const { alert, annotations } of await rules())
    expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`)
})

test('every alert is tested, and asks for metrics that exist', async () => {
  const tested = (await Promise.all(RULES.map(read))).join('\n')
  const names = new Set((await openMetrics().registry.getMetricsAsJSON()).map(({ name }) => name))
  names.add('flagmeter_backup_last_success_timestamp_seconds') // of `flagmeter backup --every`; see backup.test.ts
  for (const { alert, expr } of await rules()) {
    expect(tested.split(new RegExp(`alertname: ${alert}\\b`)).length).toBeGreaterThan(2)
    for (const [name] of expr.matchAll(/\b(flagmeter|http)_\w+/g))
      expect(names).toContain(name.replace(/_(count|sum|bucket)$/, ''))
  }
})

test('prometheus scrapes every part of the compose file that has metrics', async () => {
  const config = parse(await read('docker/prometheus/prometheus.yml')) as {
    scrape_configs: { job_name: string; dns_sd_configs?: { names: string[]; port: number }[] }[]
  }
  const jobs = config.scrape_configs.flatMap(({ dns_sd_configs = [] }) => dns_sd_configs)
  expect(jobs.map(({ names, port }) => [names, port])).toEqual([
    [['api'], 9464],
    [['worker'], 9464],
    [['backup'], 9464],
  ])
})
