import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { runCli } from './_cli.ts'

/** These go straight to the database or the stores; all others use HTTP, or go straight with --direct. */
const DIRECT = [
  'migrate',
  'seed',
  'verify',
  'dead-letter list',
  'dead-letter replay',
  'backup',
  'restore',
  'config check',
]
const NEITHER = ['up', 'serve', 'worker', 'load', 'key generate']

test('help of every command has an example, and its page has the help', async () => {
  const page = await readFile(join(import.meta.dirname, '../docs/reference/cli.md'), 'utf8')
  const sections = [...page.matchAll(/^## flagmeter (.+)\n\n```\n([^`]*(?:`[^`]+`[^`]*)*)\n```$/gm)]
  expect(sections.length).toBeGreaterThan(30)
  for (const [, name, help] of sections)
    expect([name, help]).toEqual([name, expect.stringMatching(/^Usage: flagmeter [^]*\nExamples?:\n {2}\$ /)])
  const { code, out } = await runCli([...sections[0]![1]!.split(' '), '--help'])
  expect([code, out]).toEqual([0, expect.stringContaining(sections[0]![2]!.split('\n').at(-1)!)])
})

test('every command uses HTTP and has --direct, or its help says why it uses the database directly', async () => {
  const page = await readFile(join(import.meta.dirname, '../docs/reference/cli.md'), 'utf8')
  const sections = [...page.matchAll(/^## flagmeter (.+)\n\n```\n(Usage: [^]*?)\n```$/gm)]
  for (const [, name, help] of sections) {
    const isOverHttp = ![...DIRECT, ...NEITHER].includes(name!)
    expect([name, /^ {2}--direct /m.test(help!)]).toEqual([name, isOverHttp])
    expect([name, /^Straight (to|from) the (database|stores): /m.test(help!)]).toEqual([name, DIRECT.includes(name!)])
  }
  expect(sections.map(([, name]) => name)).toEqual(expect.arrayContaining([...DIRECT, ...NEITHER]))
})

describe('a failure is one line and an exit code', () => {
  test.concurrent.each<[string, string[], Record<string, string>, number, RegExp]>([
    ['an unknown command', ['fly'], {}, 2, /^flagmeter: unknown command 'fly' \(see `flagmeter --help`\)\n$/],
    ['a mistyped command', ['tenant', 'lst'], {}, 2, /^flagmeter: unknown command 'lst' \(Did you mean list\?\) .*\n$/],
    [
      'an unknown option',
      ['usage', '--fast'],
      {},
      2,
      /^flagmeter: unknown option '--fast' \(see `flagmeter usage --help`\)\n$/,
    ],
    ['a missing argument', ['send', 'acme-corp'], {}, 2, /^flagmeter: missing required argument 'feature' .*\n$/],
    [
      'wrong usage with --json',
      ['usage', '--fast', '--json'],
      {},
      2,
      /^\{"error":\{"message":"unknown option .*"\}\}\n$/,
    ],
    [
      'an unreachable server, with --json',
      ['usage', '--json'],
      { FLAGMETER_URL: 'http://127.0.0.1:1' },
      3,
      /^\{"error":\{"message":"no FlagMeter answers at .*"\}\}\n$/,
    ],
    [
      'a quota that is not a number',
      ['tenant', 'create', 'x', '--monthly-quota', '1,5'],
      {},
      2,
      /argument '1,5' is invalid/,
    ],
    [
      'a name instead of an id',
      ['quota', 'update', 'acme-corp'],
      {},
      2,
      /'acme-corp' is not the id of a quota: .* list/,
    ],
    [
      'variables that are not settings',
      ['verify'],
      { FLAGMETER_PORT: '3000', FLAGMETER_DATABASE: 'x' },
      3,
      new RegExp(
        '^flagmeter: FLAGMETER_PORT is not a setting: did you mean PORT\\?\n' +
          'flagmeter: FLAGMETER_DATABASE is not a setting.*\n',
      ),
    ],
    ['tokens that are not a number', ['send', 'acme-corp', 'x', 'many'], {}, 2, /whole number/],
    [
      'an unreachable server',
      ['usage'],
      { FLAGMETER_URL: 'http://127.0.0.1:1' },
      3,
      /^flagmeter: no FlagMeter answers at http:\/\/127.0.0.1:1 .*\n$/,
    ],
    ['a URL that is none', ['usage', '--url', 'localhost'], {}, 2, /^flagmeter: --url must be a URL .*\n$/],
    ['no database', ['verify'], {}, 3, /^flagmeter: no database: set DATABASE_URL.*\n$/],
    [
      'an unreachable database',
      ['verify'],
      { DATABASE_URL: 'postgres://u:geheim@127.0.0.1:1/x' },
      3,
      /^flagmeter: the database does not answer: .*\n$/,
    ],
    [
      'an unknown handler',
      ['serve', 'nothing'],
      {},
      2,
      /^flagmeter: there is no handler 'nothing'; known: .*event-ingest.*\n$/,
    ],
    [
      'a mistyped handler',
      ['serve', 'dashbord'],
      {},
      2,
      /^flagmeter: there is no handler 'dashbord'; did you mean 'dashboard'\?\n$/,
    ],
    [
      'a consumer given to `serve`',
      ['serve', 'rollup'],
      { DATABASE_URL: 'postgres://127.0.0.1:1/x' },
      2,
      /flagmeter worker rollup/,
    ],
    [
      'a stream without Valkey',
      ['worker', 'rollup'],
      { DATABASE_URL: 'postgres://127.0.0.1:1/x' },
      2,
      /set VALKEY_URL/,
    ],
    [
      'an unwritable folder',
      ['up'],
      { FLAGMETER_DIR: '/dev/null/x' },
      1,
      /^flagmeter: can't write to \/dev\/null\/x .*\n$/,
    ],
  ])('%s', async (_name, args, env, code, message) => {
    const result = await runCli(args, env)
    expect([result.code, result.err]).toEqual([code, expect.stringMatching(message)])
    expect(result.err).not.toContain('geheim')
    expect(result.err).not.toMatch(/^\s+at /m)
  })

  test('a database URL that leads to another kind of server, which closes every connection', async () => {
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const env = { DATABASE_URL: `postgres://u@127.0.0.1:${(server.address() as AddressInfo).port}/x` }
    const [verify, check] = await Promise.all([runCli(['verify'], env), runCli(['config', 'check'], env)])
    expect([verify.code, verify.err]).toEqual([
      3,
      expect.stringMatching(/^flagmeter: the database does not answer: .*\n$/),
    ])
    expect([check.code, check.out]).toEqual([1, expect.stringMatching(/^database +NO +the database did not answer/m)])
  })

  test('settings: every mistake at once, without the values', async () => {
    const env = {
      DATABASE_URL: 'mysql://u:geheim@h',
      PORT: '70000',
      LOG_LEVEL: 'loud',
      AUTO_CREATE_TENANTS: 'yes',
      EVENT_RETENTION_DAYS: '30',
    }
    const { code, err } = await runCli(['config', 'check'], env)
    expect(code).toBe(2)
    expect(err.trim().split('\n')).toHaveLength(4)
    for (const name of ['DATABASE_URL', 'PORT', 'LOG_LEVEL', 'AUTO_CREATE_TENANTS'])
      expect(err).toContain(`flagmeter: ${name} must be`)
    expect(err).not.toContain('geheim')
    expect((await runCli(['config', 'check'], { EVENT_RETENTION_DAYS: '30' })).err).toContain('EVENT_MAX_AGE_DAYS + 7')
  })
})
