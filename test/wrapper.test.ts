import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { type IncomingMessage, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { readReservationId } from '../lib/quota/reservation.ts'
import { createTestServer } from './_context.ts'
import { emptyFolder } from './_folder.ts'
import { KEY } from './_key.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')

/** What the guide's example assumes: the OpenAI and Anthropic clients, as far as it uses them. */
const CLIENTS = `
interface Asked {
  model: string; messages: { role: 'user'; content: string }[]; max_tokens?: number; max_completion_tokens?: number
}
interface AnthropicUsage {
  input_tokens: number; cache_read_input_tokens: number | null; cache_creation_input_tokens?: number | null
  output_tokens: number
}
const messages: Asked['messages'] = [{ role: 'user', content: 'Hello' }]
const openai = { chat: { completions: { create: async (_: Asked) => ({ usage: {
  prompt_tokens: 1_200, prompt_tokens_details: { cached_tokens: 1_000 }, completion_tokens: 120,
  completion_tokens_details: { reasoning_tokens: 100 }, total_tokens: 1_320,
} as { total_tokens: number } | undefined }) } } }
let cached: Pick<AnthropicUsage, 'cache_read_input_tokens' | 'cache_creation_input_tokens'> =
  { cache_read_input_tokens: 6_000, cache_creation_input_tokens: 1_000 }
const anthropic = { messages: { create: async (_: Asked): Promise<{ usage: AnthropicUsage }> =>
  ({ usage: { input_tokens: 10, ...cached, output_tokens: 4 } }) } }
`

/** Writes the guide's code, with more after it, into its own folder, and checks the types. */
async function writeExample(after: string): Promise<string> {
  const guide = await readFile(join(root, 'docs/guide/quotas.md'), 'utf8')
  const [, example] = /```ts\n([^`]*(?:`[^`]+`[^`]*)*)```/.exec(guide)!
  const dir = await emptyFolder()
  const types = { typeRoots: [join(root, 'node_modules/@types')], types: ['node'], noUnusedLocals: false }
  const tsconfig = { extends: join(root, 'tsconfig.json'), include: ['*.ts'], compilerOptions: types }
  await writeFile(join(dir, 'tsconfig.json'), JSON.stringify(tsconfig))
  await writeFile(join(dir, 'package.json'), '{"type":"module"}')
  await writeFile(join(dir, 'example.ts'), `${CLIENTS}${example!}\n${after}\nexport {}\n`)
  await run(join(root, 'node_modules/.bin/tsc'), ['--noEmit', '-p', dir]).catch((error: { stdout: string }) =>
    expect(error.stdout).toBe(''),
  )
  return join(dir, 'example.ts')
}

async function runExample(file: string, url: string): Promise<{ stdout: string; stderr: string }> {
  const env = { ...process.env, FLAGMETER_URL: url, FLAGMETER_KEY: KEY }
  return await run(process.execPath, ['--import', import.meta.resolve('tsx'), file], { env })
}

test("the guide's wrapper of model calls reserves, and settles all tokens used, including cached ones", async () => {
  const { ctx, url } = await createTestServer()
  const after = `
cached = { cache_read_input_tokens: null }
await metered('without-cache', 50, () => anthropic.messages.create({ model: '', messages }), ({ usage }) =>
  usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + usage.output_tokens)
await metered('failing', 50, () => Promise.reject(new Error('no')), () => 1).catch(() => {})`
  await runExample(await writeExample(after), url)
  const events = await ctx.database`select feature, tokens from events order by feature`
  expect(events.map((row) => [row.feature, row.tokens])).toEqual([
    ['claude-sonnet-4-5', 7_014],
    ['gpt-4o', 1_320],
    ['without-cache', 14],
  ])
  const states = await ctx.database`select status, tokens from reservations order by created_at`
  expect(states.map((row) => [row.status, row.tokens])).toEqual([
    ['settled', 2_000],
    ['settled', 2_000],
    ['settled', 50],
    ['released', 50],
  ])
})

/** The fate of a request: `lost` reaches the server but its answer is dropped; `refused` gets 503; `cut` is dropped. */
type Fault = 'lost' | 'refused' | 'cut'

/** The server behind a link that harms requests, chosen by their step and feature. */
async function harmed(url: string, faults: Record<string, Fault[]>): Promise<string> {
  const link = createServer((req, res) => {
    void (async () => {
      const body = await text(req)
      const [fault, answer] = [faults[stepOf(req, body)]?.shift(), () => pass(req, body)]
      if (fault === 'cut') return req.socket.destroy()
      if (fault === 'refused') return res.writeHead(503).end('{"title":"Unavailable"}')
      const { status, document } = await answer()
      if (fault !== 'lost') res.writeHead(status, { 'content-type': 'application/json' }).end(document)
    })()
  })
  const stepOf = ({ url: path = '' }: IncomingMessage, body: string): string => {
    const [, id, step] = /reservations\/(\w+)\/(\w+)$/.exec(path.replaceAll('-', '_')) ?? []
    if (id === undefined) return `reserve ${(JSON.parse(body) as { feature: string }).feature}`
    return `${step} ${readReservationId(path.split('/').at(-2)!)!.feature}`
  }
  const pass = async ({ url: path, headers }: IncomingMessage, body: string) => {
    const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => /^(auth|content-t|idem)/.test(name)))
    const answer = await fetch(`${url}${path}`, { method: 'POST', headers: kept as Record<string, string>, body })
    return { status: answer.status, document: await answer.text() }
  }
  await new Promise<void>((done) => link.listen(0, '127.0.0.1', done))
  onTestFinished(() => link.close().closeAllConnections())
  return `http://127.0.0.1:${(link.address() as AddressInfo).port}`
}

test("the guide's wrapper loses no answer and no settlement, even when its requests fail", async () => {
  const { ctx, url, post } = await createTestServer()
  const link = await harmed(url, {
    'settle lost': ['lost'],
    'settle refused': ['refused', 'refused', 'refused'],
    'settle cut': ['cut'],
    'settle never': ['refused', 'cut', 'refused', 'cut'],
    'release failing': ['refused'],
    'reserve again': ['lost'],
    'reserve down': ['cut', 'refused'],
  })
  const after = `
const seen: Record<string, unknown> = {}
async function go(feature: string, call: () => Promise<number>, used = (tokens: number) => tokens, most = 1_000) {
  const at = performance.now()
  const answer = await metered(feature, most, call, used).catch((error: Error) => error.message)
  seen[feature] = [answer, performance.now() - at < 4_000 ? 'at once' : 'late']
}
const made = async () => 100
let calls = 0
await Promise.all([
  ...['lost', 'refused', 'cut', 'never', 'again'].map((feature) => go(feature, made)),
  go('nothing', async () => 0),
  go('strange', made, () => { throw new Error('no usage') }),
  go('no-number', made, () => NaN),
  go('failing', async () => { throw new Error('the model is busy') }),
  go('throwing', () => { throw new Error('no key of OpenAI') }),
  go('down', async () => ++calls),
  go('too-much', async () => ++calls, undefined, 500_000_000),
  go('job', made).then(() => go('job', made)),
])
console.log(JSON.stringify({ seen, calls }))`
  const { stdout, stderr } = await runExample(await writeExample(after), link)
  const answered = [100, 'at once']
  expect(JSON.parse(stdout)).toEqual({
    calls: 0,
    seen: {
      ...Object.fromEntries(
        ['lost', 'refused', 'cut', 'never', 'strange', 'no-number', 'job'].map((feature) => [feature, answered]),
      ),
      again: [100, 'late'],
      nothing: [0, 'at once'],
      failing: ['the model is busy', 'at once'],
      throwing: ['no key of OpenAI', 'at once'],
      down: [expect.any(String), 'at once'],
      'too-much': [expect.stringContaining('are left'), 'at once'],
    },
  })

  const counted = async () => {
    const rows = await ctx.database`
      select feature, count(*) as events, sum(tokens)::bigint as tokens
        from events where feature !~ 'gpt|claude' group by 1 order by 1`
    return Object.fromEntries(rows.map((row) => [row.feature as string, [row.events, row.tokens]]))
  }
  const once = [1, 100]
  expect(await counted()).toEqual({ again: once, cut: once, job: [2, 200], lost: once, refused: once })
  const rows = await ctx.database`select feature, status from reservations where feature !~ 'gpt|claude' order by 1`
  expect(rows.map((row) => `${row.feature} ${row.status}`)).toEqual([
    'again settled',
    'cut settled',
    'failing released',
    'job settled',
    'job settled',
    'lost settled',
    'never held',
    'no-number held',
    'nothing released',
    'refused settled',
    'strange held',
    'throwing released',
  ])

  // What was never sent is in the log, and can still be sent.
  const [, id] = /reservation (rs_[\w-]+) lapses; settled later, its 100 tokens still count/.exec(stderr)!
  expect(readReservationId(id!)!.feature).toBe('never')
  expect((await post(`/api/reservations/${id}/settle`, { tokens: 100 })).status).toBe(200)
  expect((await counted()).never).toEqual(once)
}, 60_000)
