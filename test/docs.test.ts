import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { toCrossing } from '../lib/alerts/crossing.ts'
import { renderNotice } from '../lib/alerts/message.ts'
import { PROBLEMS } from '../lib/problem.ts'
import { BUNDLES } from './_cli.ts'
import { createTestServer } from './_context.ts'
import { KEY } from './_key.ts'
import { settingsTable } from './_settings_table.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
const read = (file: string) => readFile(join(root, file), 'utf8')

test('docs/problems.md has a section for every problem, in the same order, with its status', async () => {
  const sections = (await read('docs/problems.md')).matchAll(/^## (\w+)\n\n(\d+)/gm)
  expect([...sections].map(([, code, status]) => [code, Number(status)])).toEqual(
    Object.entries(PROBLEMS).map(([code, [status]]) => [code, status]),
  )
})

test("README's table of settings is the one that is parsed", async () => {
  expect(await read('README.md')).toContain(`\n${settingsTable()}\n`)
})

/** What is there, without what it holds. */
const shape = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(shape)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]))
      : typeof value

test("README's examples work as they stand", async () => {
  const { url, databaseUrl } = await createTestServer()
  const blocks = [...(await read('README.md')).matchAll(/```sh\n([^`]*)```(?:\n\n```json\n([^`]*)```)?/g)]
  const examples = blocks.filter(([, script]) => !/npm ci|admin-key\)/.test(script!))
  expect(examples.length).toBeGreaterThan(4)
  const env = {
    ...process.env,
    DATABASE_URL: databaseUrl,
    FLAGMETER_URL: url,
    FLAGMETER_KEY: KEY,
    FLAGMETER_DIR: '/nonexistent',
  }
  for (const [, script, answer] of examples) {
    const local = script!.replaceAll('localhost:3000', url).replaceAll('npx flagmeter', `node ${BUNDLES}/cli/main.js`)
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', local], { cwd: root, env })
    const expected = answer && JSON.parse(answer)
    if (expected?.features) expected.features.push(expected.features[0]) // the reports before it used two features
    if (expected) expect(shape(JSON.parse(stdout))).toEqual(shape(expected))
  }
})

test("README's event is the one that webhooks get", async () => {
  const shown = JSON.parse(
    /```json\n(\{\n {2}"type": "quota.threshold.crossed"[^`]*)```/.exec(await read('README.md'))![1]!,
  )
  const at = new Date()
  const row = {
    quota_id: '',
    feature: null,
    period: 'month' as const,
    quota_version: 1,
    threshold: 80,
    token_limit: 1,
    total_tokens: 1,
  }
  const crossing = { alert: '', ...toCrossing({ ...row, period_start: at, period_end: at }) }
  const { body } = renderNotice(
    {
      id: '',
      tenantId: '',
      tenantName: '',
      kind: 'standard',
      createdAt: at,
      secrets: [],
      crossing,
    },
    0,
  )
  expect(shape(shown)).toEqual(shape(JSON.parse(body)))
})
