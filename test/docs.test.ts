import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { toCrossing } from '../lib/alert.ts'
import { renderNotice } from '../lib/message.ts'
import { PROBLEMS } from '../lib/problem.ts'
import { BUNDLES } from './_cli.ts'
import { createTestServer } from './_context.ts'
import { KEY } from './_key.ts'
import { settingsTable } from './_settings_table.ts'
import { emptyFolder } from './_folder.ts'

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

/** What the example takes for granted: the clients of OpenAI and Anthropic, as far as it uses them. */
const CLIENTS = `
interface Asked { model: string; messages: { role: 'user'; content: string }[]; max_tokens?: number; max_completion_tokens?: number }
const messages: Asked['messages'] = [{ role: 'user', content: 'Hello' }]
const openai = { chat: { completions: { create: async (_: Asked) =>
  ({ usage: { total_tokens: 1_320 } as { total_tokens: number } | undefined }) } } }
const anthropic = { messages: { create: async (_: Asked) => ({ usage: { input_tokens: 20, output_tokens: 300 } }) } }
`

test("README's wrapper of model calls has its types right, reserves, and settles with what was used", async () => {
  const { ctx, url } = await createTestServer()
  const [, example] = /```ts\n([^`]*(?:`[^`]+`[^`]*)*)```/.exec(await read('README.md'))!
  const dir = await emptyFolder()
  const tsconfig = {
    extends: join(root, 'tsconfig.json'),
    include: ['*.ts'],
    compilerOptions: { noUnusedLocals: false },
  }
  const types = { typeRoots: [join(root, 'node_modules/@types')], types: ['node'] }
  Object.assign(tsconfig.compilerOptions, types)
  await writeFile(join(dir, 'tsconfig.json'), JSON.stringify(tsconfig))
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  const source = `${CLIENTS}${example!}\nawait metered('gpt-4o', 50, () => Promise.reject(new Error('no')), () => 1).catch(() => {})\nexport {}\n`
  await writeFile(join(dir, 'example.ts'), source)
  await run(join(root, 'node_modules/.bin/tsc'), ['--noEmit', '-p', dir]).catch((error: { stdout: string }) =>
    expect(error.stdout).toBe(''),
  )
  const env = { ...process.env, FLAGMETER_URL: url, FLAGMETER_KEY: KEY }
  await run(process.execPath, ['--import', import.meta.resolve('tsx'), join(dir, 'example.ts')], { env })
  const events = await ctx.database`select feature, tokens from events order by feature`
  expect(events.map((row) => [row.feature, row.tokens])).toEqual([
    ['claude-sonnet-4-5', 320],
    ['gpt-4o', 1_320],
  ])
  const states = await ctx.database`select status, tokens from reservations order by created_at`
  expect(states.map((row) => [row.status, row.tokens])).toEqual([
    ['settled', 2_000],
    ['settled', 2_000],
    ['released', 50],
  ])
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
