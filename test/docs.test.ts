import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { toCrossing } from '../lib/alerts/crossing.ts'
import { renderNotice } from '../lib/alerts/message.ts'
import { PROBLEMS } from '../lib/problem.ts'
import { BUNDLES } from './_cli.ts'
import { createTestServer } from './_context.ts'
import { KEY } from './_key.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')

const markdownIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file))
    .sort()

/** README and everything in docs/, by path. */
const pages = Object.fromEntries(
  ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...markdownIn('docs')].map((file) => [
    file,
    readFileSync(join(root, file), 'utf8'),
  ]),
)

test('docs/problems.md has a section for every problem, in the same order, with its status', () => {
  const sections = pages['docs/problems.md']!.matchAll(/^## (\w+)\n\n(\d+)/gm)
  expect([...sections].map(([, code, status]) => [code, Number(status)])).toEqual(
    Object.entries(PROBLEMS).map(([code, [status]]) => [code, status]),
  )
})

test('README stays short', () => {
  expect(pages['README.md']!.trimEnd().split('\n').length).toBeLessThanOrEqual(130)
})

/** The anchor that a heading gets on GitHub. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

test('every link between the documents leads somewhere', () => {
  const anchors = Object.fromEntries(
    Object.entries(pages).map(([file, page]) => [file, [...page.matchAll(/^#+ (.+)$/gm)].map(([, h]) => anchorOf(h!))]),
  )
  const broken = Object.entries(pages).flatMap(([file, page]) =>
    [...page.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(([link, path, anchor]) => {
      const target = path === '' ? file : normalize(join(dirname(file), path!))
      const isThere = existsSync(join(root, target)) && (anchor === undefined || anchors[target]?.includes(anchor))
      return isThere ? [] : [`${file}: ${link}`]
    }),
  )
  expect(broken).toEqual([])
})

/** The structure of a value: its fields and their types. */
const shape = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(shape)
    : typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shape(inner)]))
      : typeof value

/** Examples that install, run until stopped, or read a file of another server. */
const NOT_HERE = /npm ci|npm start|admin-key\)/

/** The shell examples of a page, each with the JSON that follows it. */
const examplesOf = (page: string): [script: string, answer: string | undefined][] =>
  [...page.matchAll(/```sh\n([^`]*)```(?:\n\n```json\n([^`]*)```)?/g)]
    .map(([, script, answer]): [string, string | undefined] => [script!, answer])
    .filter(([script]) => !NOT_HERE.test(script))

const withExamples = Object.entries(pages).filter(
  ([file, page]) => /^(README|docs\/)/.test(file) && examplesOf(page).length > 0,
)

test('the guides have examples', () => {
  expect(withExamples.map(([file]) => file)).toEqual(expect.arrayContaining(['README.md', 'docs/guide/quotas.md']))
  expect(withExamples.length).toBeGreaterThan(6)
})

test.each(withExamples)('the examples in %s work as written', async (_file, page) => {
  const { url, databaseUrl } = await createTestServer()
  const env = {
    ...process.env,
    DATABASE_URL: databaseUrl,
    FLAGMETER_URL: url,
    FLAGMETER_KEY: KEY,
    FLAGMETER_DIR: '/nonexistent',
  }
  for (const [script, answer] of examplesOf(page)) {
    const local = script.replaceAll('localhost:3000', url).replaceAll('npx flagmeter', `node ${BUNDLES}/cli/main.js`)
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', local], { cwd: root, env })
    // A page shows only the answer, not what a command prints before it.
    if (answer)
      expect(shape(JSON.parse(stdout.slice(stdout.lastIndexOf('\n{') + 1)))).toEqual(shape(JSON.parse(answer)))
  }
})

test('the event shown in the guide is the one that webhooks get', () => {
  const shown = JSON.parse(
    /```json\n(\{\n {2}"type": "quota.threshold.crossed"[^`]*)```/.exec(pages['docs/guide/alerts.md']!)![1]!,
  )
  const at = new Date()
  const row = {
    quota_id: '',
    feature: null,
    metric: 'tokens' as const,
    model: null,
    user_id: null,
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
