import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { runCli, runCliProcess, startCli } from './_cli.ts'
import { createDatabase, createTestServer, startConsumers, until } from './_context.ts'
import { AUTHORIZATION, KEY } from './_key.ts'
import { LOCAL, createReceiver } from './_deliveries.ts'
import { freePort } from './_valkey.ts'
import { clusterFolder } from './_cluster.ts'
import { emptyFolder } from './_folder.ts'
import { atMost } from './_counts.ts'

test('migrate, seed, tenant, send, usage and verify work together', async () => {
  const { url, databaseUrl } = await createTestServer()
  const env = { DATABASE_URL: databaseUrl, FLAGMETER_URL: url }
  const file = join(await emptyFolder(), 'tenants.json')
  await writeFile(
    file,
    JSON.stringify([
      { name: 'umbrella', monthlyQuota: 2000, billingDay: 31, timezone: 'Asia/Tokyo' },
      { name: 'acme-corp' },
    ]),
  )
  expect((await runCli(['migrate'], env)).out).toBe('up to date\n')
  expect((await runCli(['migrate', '--status'], env)).code).toBe(0)
  expect((await runCli(['seed', '--file', file, '--json'], env)).out).toBe(
    `${JSON.stringify({ created: ['umbrella'], existing: ['acme-corp'] }, null, 2)}\n`,
  )
  expect((await runCli(['seed', '--file', file], env)).out).toBe('0 created, 2 there already\n')
  const tenants = JSON.parse((await runCli(['tenant', 'list', '--json'], env)).out)
  expect(tenants).toHaveLength(4)
  expect(tenants.at(-1)).toMatchObject({ name: 'umbrella', monthlyQuota: 2000, billingDay: 31, timezone: 'Asia/Tokyo' })
  const first = await runCli(['send', 'umbrella', 'gpt-4o', '1,500', '--id', 'one'], env)
  expect(first.out).toMatch(/^accepted [0-9a-f-]{36}\n$/)
  expect(await runCli(['send', 'umbrella', 'gpt-4o', '1500', '--id', 'one'], env)).toEqual(first)
  expect((await runCli(['usage', 'umbrella'], env)).out).toMatch(
    /umbrella +1,500 +0 +2,000 +75 % +500 .*\n.*\n *gpt-4o +1,500 +1/,
  )
  expect(JSON.parse((await runCli(['usage', '--json'], env)).out)).toHaveLength(4)
  expect(
    (
      await runCli(
        ['tenant', 'update', 'umbrella', '--monthly-quota', '3_000', '--name', 'umbrella-corp', '--json'],
        env,
      )
    ).out,
  ).toContain('"monthlyQuota": 3000')
  expect((await runCli(['verify'], env)).code).toBe(0)
  for (const [args, code, message] of [
    [['tenant', 'create', 'acme-corp'], 1, /already exists/],
    [
      ['tenant', 'create', 'x', '--billing-day', '32'],
      2,
      /^flagmeter: --billing-day must be a whole number between 1 and/,
    ],
    [['tenant', 'create', 'x', '--timezone', 'Mars/Base'], 2, /^flagmeter: --timezone must be an IANA name/],
    [['tenant', 'update', 'nobody', '--billing-day', '2'], 1, /tenant 'nobody' does not exist; POST/],
    [['tenant', 'update', 'acme-corp', '--name', 'umbrella-corp'], 1, /name is taken/],
    [['tenant', 'update', 'acme-corp'], 2, /nothing to change/],
    [['send', 'nobody', 'x', '1'], 1, /tenant/],
    [['send', 'acme-corp', 'x', '0'], 2, /^flagmeter: <tokens> must be/],
    [['seed', '--file', '/nonexistent.json'], 2, /nonexistent.json: ENOENT/],
    [['dead-letter', 'replay', 'x'], 2, /not the id/],
  ] as const) {
    const result = await runCli([...args], env)
    expect([args, result.code, result.err]).toEqual([args, code, expect.stringMatching(message)])
  }
})

test('up, a webhook to a receiver on this machine, events over 80 %: the text arrives within a second', async () => {
  const receiver = await createReceiver()
  const env = { FLAGMETER_DIR: await clusterFolder() }
  const up = startCli(['up'], { ...env, WEBHOOK_ALLOW_PRIVATE: 'true', PORT: String(await freePort()) })
  await until(() => up.output().includes('Stop with Ctrl-C'))
  const created = await runCli(['webhook', 'create', 'acme-corp', '--kind', 'slack', '--url', receiver.url], env)
  expect([created.code, created.err]).toEqual([0, ''])
  const url = /curl -s (\S+)/.exec(up.output())![1]!
  const body = JSON.stringify({ tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens: 820_000 })
  const at = Date.now()
  await fetch(url, { method: 'POST', headers: { ...AUTHORIZATION, 'content-type': 'application/json' }, body })
  await until(() => receiver.received.length === 1)
  expect(receiver.received[0]!.at - at).toBeLessThan(atMost(1_000))
  expect(receiver.bodies()).toEqual([
    { text: "FlagMeter: tenant 'acme-corp' has hit 82% of 1,000,000 tokens this month." },
  ])
  expect((await runCli(['alert', 'list', 'acme-corp'], env)).out).toMatch(/acme-corp +80 % +82 % +820,000 +1,000,000 /)
  await until(async () => (await runCli(['delivery', 'list'], env)).out.includes(' delivered '))
  up.child.kill('SIGINT')
  expect((await up.finished).code).toBe(0)
})

test('the webhook, alert and delivery commands do what they say', async () => {
  const { url, databaseUrl, ctx } = await createTestServer(LOCAL)
  await startConsumers(ctx, ['deliver'])
  let status = 200
  const receiver = await createReceiver((res) => void res.writeHead(status).end())
  const env = { DATABASE_URL: databaseUrl, FLAGMETER_URL: url }
  const run = (...args: string[]) => runCli(args, env)
  const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).out)

  expect((await run('webhook', 'list', 'acme-corp')).out).toMatch(/acme-corp +slack +https:\/\/hooks.slack.com\/… +no /)
  const created = await run('webhook', 'create', 'acme-corp', '--kind', 'standard', '--url', receiver.url, '--disabled')
  expect(created.out).toMatch(
    /standard +http:\/\/127.0.0.1:\d+\/… +no [^]*signing secret, shown this once: whsec_\S{44}\n$/,
  )
  const { id } = (await json('webhook', 'list', 'acme-corp')).find((webhook: any) => webhook.kind === 'standard')
  const tried = await run('webhook', 'test', id)
  expect([tried.code, tried.out]).toEqual([
    0,
    expect.stringMatching(/^delivered to http:\/\/127.0.0.1:\d+\/… \(200\)\n$/),
  ])
  expect(receiver.bodies()[0]).toMatchObject({ type: 'webhook.test', data: { tenantName: 'acme-corp' } })
  status = 500
  expect(await run('webhook', 'test', id)).toMatchObject({
    code: 1,
    err: 'flagmeter: the test message was not delivered: answered 500\n',
  })
  expect((await run('webhook', 'rotate', id)).out).toContain('whsec_')
  expect(await json('webhook', 'update', id, '--enable', '--url', `${receiver.url}/new`)).toMatchObject({
    enabled: true,
  })
  expect((await run('alert', 'list')).out).toBe('no alerts\n')
  await run('send', 'acme-corp', 'x', '900000')
  await until(async () => (await json('delivery', 'list', '--status', 'pending'))[0]?.attempts > 0)
  expect((await run('webhook', 'update', id, '--disable')).code).toBe(0)
  const [dead] = await json('delivery', 'list', 'acme-corp', '--status', 'dead', '--webhook', id)
  expect(dead).toMatchObject({ status: 'dead', reason: 'the webhook is disabled', threshold: 80 })
  status = 200
  await run('webhook', 'update', id, '--enable')
  expect((await run('delivery', 'retry', dead.id)).out).toBe('1 due now\n')
  await until(() => receiver.received.at(-1)!.path === '/hook/new')
  await until(async () => (await json('delivery', 'list'))[0].status === 'delivered')
  expect((await run('tenant', 'update', 'acme-corp', '--thresholds', '50,80,90')).out).toContain('50 %, 80 %, 90 %')
  expect((await json('alert', 'list', 'acme-corp')).map((alert: any) => alert.threshold)).toEqual([90, 50, 80])
  expect((await run('webhook', 'delete', id)).out).toMatch(/^deleted \S+ \(standard, \S+\) of acme-corp\n$/)
  expect((await run('delivery', 'list', '--webhook', id)).out).toBe('no deliveries\n')

  const unknown = '00000000-0000-4000-8000-000000000000'
  for (const [args, code, message] of [
    [['webhook', 'create', 'acme-corp', '--kind', 'slack'], 2, /--url <url>' not specified/],
    [
      ['webhook', 'create', 'acme-corp', '--kind', 'mail', '--url', 'https://a.example'],
      2,
      /Allowed choices are slack, standard/,
    ],
    [['webhook', 'create', 'nobody', '--kind', 'slack', '--url', 'https://a.example'], 1, /tenant/],
    [
      ['webhook', 'create', 'acme-corp', '--kind', 'slack', '--url', 'a.example'],
      2,
      /^flagmeter: --url must be a URL like/,
    ],
    [['webhook', 'update', unknown, '--enable'], 1, /webhook .*`flagmeter webhook list` shows the ids/],
    [['webhook', 'update', unknown], 2, /nothing to change/],
    [['webhook', 'delete', 'x'], 2, /'x' is not the id of a webhook/],
    [['webhook', 'test', '../tenants'], 2, /not the id of a webhook/],
    [['delivery', 'retry', unknown], 1, /no delivery/],
    [['delivery', 'retry', 'x'], 2, /'x' is not the id of a delivery/],
    [['delivery', 'list', '--status', 'late'], 2, /Allowed choices are/],
    [['alert', 'list', 'nobody'], 1, /tenant/],
    [
      ['tenant', 'update', 'acme-corp', '--thresholds', '80,1001'],
      2,
      /^flagmeter: --thresholds must be a whole number between 1 and 1,000\n$/,
    ],
    [['tenant', 'update', 'acme-corp', '--thresholds', ''], 2, /must be a whole number/],
  ] as const) {
    const result = await run(...args)
    expect([args, result.code, result.err]).toEqual([args, code, expect.stringMatching(message)])
  }
})

test('check, reserve, settle, release and series do what they say', async () => {
  const { url } = await createTestServer()
  const run = (...args: string[]) => runCli(args, { FLAGMETER_URL: url })
  const quota = ['quota', 'create', 'acme-corp', '--feature', 'x', '--period', 'day']
  expect((await run(...quota, '--token-limit', '2k')).out).toMatch(/acme-corp +x +\(all\) +tokens +day +2,000 +hard/)
  expect(await run('check', 'acme-corp', 'x', '1500')).toMatchObject({
    code: 0,
    out: expect.stringMatching(
      /^allowed: 2,000 of 2,000 x tokens today are left, until \d{4}-\d\d-\d\d \d\d:\d\d UTC\n$/,
    ),
  })
  expect(await run('check', 'acme-corp', 'x', '1M')).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^flagmeter: refused 1,000,000 tokens: 2,000 of 2,000 x tokens today are left/),
  })
  const reserved = await run('reserve', 'acme-corp', 'x', '1500', '--idempotency-key', 'one')
  expect(reserved.out).toMatch(/^reserved rs_[\w-]+\nuntil [\d :-]{19} UTC; 500 left of the tightest quota\n$/)
  expect((await run('reserve', 'acme-corp', 'x', '1500', '--idempotency-key', 'one')).out).toContain(
    reserved.out.split('\n')[0],
  )
  const refused = await run('reserve', 'acme-corp', 'x', '501', '--json')
  expect([refused.code, refused.out, JSON.parse(refused.err).error]).toMatchObject([
    1,
    '',
    { code: 'quota_exceeded', status: 409, remaining: 500, message: expect.stringContaining('501 were requested') },
  ])
  const [, id] = /^reserved (\S+)/.exec(reserved.out)!
  expect((await run('settle', id!, '1320')).out).toMatch(/^settled as event [0-9a-f-]{36}\n$/)
  const [, other] = /^reserved (\S+)/.exec((await run('reserve', 'acme-corp', 'x', '680', '--ttl-seconds', '60')).out)!
  expect((await run('release', other!)).out).toBe('released\n')
  expect((await run('usage', 'acme-corp')).out).toMatch(/x +day +hard +1,320 +0 +2,000 +66 %/)
  expect((await run('series', 'acme-corp')).out).toMatch(
    /^from \(UTC\) +tokens +events +cost \(\$\)\n[\d-]{10} \d\d:00 +1,320 +1 +unknown\n$/,
  )
  expect((await run('series', 'acme-corp', '--by', 'feature', '--step', 'day')).out).toMatch(
    / 00:00 +x +1,320 +1 +unknown\n$/,
  )
  const series = JSON.parse((await run('series', 'acme-corp', '--feature', 'x', '--from', '2h', '--json')).out)
  expect(series).toMatchObject({
    tenantName: 'acme-corp',
    feature: 'x',
    points: [{ totalTokens: 1320, eventCount: 1 }],
  })
  expect((await run('series', 'acme-corp', '--feature', 'y')).out).toBe('no events in this time\n')
  for (const [args, code, message] of [
    [['settle', id!, '0'], 2, /`flagmeter release` it/],
    [['settle', 'x', '1'], 2, /'x' is not the id of a reservation, which begins with rs_/],
    [['settle', 'rs_x', '1'], 1, /reservation/],
    [['release', 'x'], 2, /'x' is not the id of a reservation/],
    [
      ['reserve', 'acme-corp', 'x', '1', '--ttl-seconds', '3601'],
      2,
      /^flagmeter: --ttl-seconds must be a whole number between 1 and 3,600/,
    ],
    [['series', 'acme-corp', '--from', '1h', '--to', '2h'], 2, /^flagmeter: --from must be before to/],
    [['series', 'acme-corp', '--from', 'monday'], 2, /like 2027-01-31 \(in UTC\), or a time ago like 12h, 7d or 4w/],
    [['series', 'acme-corp', '--from', '300d', '--step', 'minute'], 1, /take a larger step or a shorter range/],
  ] as const) {
    const result = await run(...args)
    expect([args, result.code, result.err]).toEqual([args, code, expect.stringMatching(message)])
  }
})

test('with --direct every command does the same without a server or a key, and the audit log says so', async () => {
  const env = { DATABASE_URL: await createDatabase(), FLAGMETER_URL: 'http://127.0.0.1:1', FLAGMETER_KEY: '' }
  const run = (...args: string[]) => runCli([...args, '--direct'], env)
  expect((await run('tenant', 'list')).out).toBe('no tenants: make one with `flagmeter tenant create`\n')
  expect((await run('tenant', 'create', 'acme-corp', '--monthly-quota', '5M')).out).toMatch(/acme-corp +5,000,000/)
  expect((await run('send', 'acme-corp', 'x', '7')).out).toMatch(/^accepted /)
  expect((await run('usage', 'acme-corp')).out).toMatch(/acme-corp +7 +0 +5,000,000/)
  expect((await run('key', 'create', '--name', 'rescue', '--scopes', 'admin')).out).toMatch(
    /shown this once: fm_\w{36}\n$/,
  )
  expect((await run('audit')).out).toMatch(/cli +key.created +rescue *\n.* cli +tenant.created +acme-corp +acme-corp/)
  expect(await run('tenant', 'create', 'acme-corp')).toMatchObject({ code: 1, err: expect.stringContaining('exists') })
  expect(await runCli(['tenant', 'list'], env)).toMatchObject({ code: 3, err: expect.stringContaining('use --direct') })
})

test('a quota that is there already is refused with its id; what differs in limit or kind is another', async () => {
  const { url } = await createTestServer()
  const create = (...args: string[]) =>
    runCli(['quota', 'create', 'acme-corp', '--period', 'day', ...args, '--json'], { FLAGMETER_URL: url })
  const first = JSON.parse((await create('--token-limit', '50k')).out)
  const again = await create('--token-limit', '50_000', '--thresholds', '90')
  expect([again.code, JSON.parse(again.err).error]).toMatchObject([
    1,
    { code: 'quota_exists', quota: first.id, message: expect.stringContaining(first.id) },
  ])
  for (const args of [['60k'], ['50k', '--hard', 'off'], ['50k', '--feature', 'x']])
    expect([args, (await create('--token-limit', ...args)).code]).toEqual([args, 0])
})

test('with --json a refusal is one line of JSON, and what is printed is one document with a newline', async () => {
  const { url, databaseUrl } = await createTestServer()
  const env = { FLAGMETER_URL: url, DATABASE_URL: databaseUrl }
  const refusal = await runCli(['tenant', 'create', 'x', '--monthly-quota', '0', '--json'], env)
  expect([refusal.code, refusal.out, refusal.err.endsWith('}\n')]).toEqual([2, '', true])
  expect(JSON.parse(refusal.err).error).toMatchObject({
    message: '--monthly-quota must be a whole number between 1 and 1,000,000,000,000,000',
    code: 'invalid_request',
    errors: [{ field: 'monthlyQuota', detail: 'must be a whole number between 1 and 1,000,000,000,000,000' }],
  })
  for (const args of [
    ['tenant', 'list'],
    ['quota', 'list'],
    ['usage'],
    ['usage', 'acme-corp'],
    ['audit'],
    ['verify'],
  ]) {
    const { out } = await runCli([...args, '--json'], env)
    expect([args, JSON.stringify(JSON.parse(out), null, 2)]).toEqual([args, out.slice(0, -1)])
    expect(out.at(-1)).toBe('\n')
  }
})

test('verify exits 1 and prints the difference', async () => {
  const { post, ctx, databaseUrl } = await createTestServer()
  await post('/api/events', { tenant: 'acme-corp', feature: 'x', tokens: 5 })
  await ctx.database`update rollups set total_tokens = 6`
  const { code, out, err } = await runCli(['verify'], { DATABASE_URL: databaseUrl })
  expect([code, err]).toEqual([1, 'flagmeter: 4 differences\n'])
  expect(out).toMatch(/rollups .* 5 +6 /)
})

test('a database that is not migrated is told in one line', async () => {
  const empty = inject('templateUrl').replace(/\/\w+$/, '/postgres')
  const result = await runCli(['tenant', 'list', '--direct'], { DATABASE_URL: empty })
  expect([result.code, result.err]).toEqual([3, 'flagmeter: the database is not migrated: run `flagmeter migrate`\n'])
})

test('serve, and a worker of its own, drain and stop at SIGTERM', async () => {
  const PORT = String(await freePort())
  const env = { DATABASE_URL: await createDatabase(), VALKEY_URL: inject('valkeyUrl'), PORT, QUEUE_NAME: `cli-${PORT}` }
  await runCli(['seed'], env)
  const serving = startCli(['serve', 'event-ingest', 'usage-get'], env)
  const working = startCli(['worker'], env)
  await until(() => serving.output().includes('"serving"'))
  const local = { ...env, FLAGMETER_URL: `http://127.0.0.1:${PORT}` }
  await until(async () => (await runCli(['send', 'acme-corp', 'x', '7', '--id', 'one'], local)).code === 0)
  await until(async () => (await runCli(['usage', 'acme-corp', '--json'], local)).out.includes('"totalTokens": 7'))
  expect((await fetch(`${local.FLAGMETER_URL}/api/health`)).status).toBe(404)
  serving.child.kill('SIGTERM')
  working.child.kill('SIGTERM')
  expect([(await serving.finished).code, (await working.finished).code]).toEqual([0, 0])
})

test('worker --once drains the stream and exits', async () => {
  const { ctx, post, databaseUrl } = await createTestServer({ VALKEY_URL: inject('valkeyUrl') })
  await post(
    '/api/events',
    Array.from({ length: 3000 }, () => ({ tenant: 'acme-corp', feature: 'x', tokens: 1 })),
  )
  const env = { DATABASE_URL: databaseUrl, VALKEY_URL: inject('valkeyUrl'), QUEUE_NAME: ctx.config.queueName }
  expect((await runCliProcess(['worker', '--once'], env)).code).toBe(0)
  expect(await ctx.valkey!.xlen(ctx.config.queueName)).toBe(0)
  expect((await runCli(['verify'], env)).code).toBe(0)
})

test.each([
  ['a new folder', undefined],
  ['the folder of one that was killed', { pid: 2 ** 22 - 1, url: 'http://127.0.0.1:1', databaseUrl: '' }],
])('of two starts at the same time in %s one gets it', async (_name, left) => {
  const env = { FLAGMETER_DIR: await emptyFolder(inject('storesDir')) }
  if (left) await writeFile(join(env.FLAGMETER_DIR, 'up.json'), JSON.stringify(left))
  const starts = await Promise.all([0, 1].map(async () => startCli(['up'], { ...env, PORT: String(await freePort()) })))
  await until(() => starts.some(({ output }) => output().includes('Stop with Ctrl-C')))
  await until(() => starts.some(({ child }) => child.exitCode === 1))
  const loser = starts.find(({ child }) => child.exitCode === 1)
  expect((await loser!.finished).err).toMatch(/^flagmeter: is (running already|being started) .*\n$/)
  const winner = starts.find((start) => start !== loser)
  winner!.child.kill('SIGINT')
  expect((await winner!.finished).code).toBe(0)
})

test('up starts everything, keeps its data, refuses a second start, and stops at Ctrl-C', async () => {
  const dir = await emptyFolder(inject('storesDir'))
  const env = { FLAGMETER_DIR: join(dir, 'data'), PORT: String(await freePort()) }
  const first = startCli(['up'], env)
  await until(() => first.output().includes('Stop with Ctrl-C'))
  const curl = /^ {2}(curl -s .*)$/m.exec(first.output())![1]!
  // The key is not in the line: it is read from where the first start had it.
  const shell = { encoding: 'utf8', env: { ...process.env, FLAGMETER_ADMIN_KEY: KEY } } as const
  expect(JSON.parse(execFileSync('bash', ['-c', curl], shell))).toMatchObject({ success: true })
  expect((await runCli(['usage', 'acme-corp', '--json'], { FLAGMETER_DIR: env.FLAGMETER_DIR })).out).toContain(
    '"totalTokens": 1500',
  )
  expect((await runCli(['up'], { ...env, PORT: '0' })).err).toMatch(/^flagmeter: is running already at http.*\n$/)
  expect((await runCli(['up'], { ...env, FLAGMETER_DIR: join(dir, 'other') })).err).toMatch(
    /^flagmeter: 127.0.0.1:\d+ is taken by another process.*\n$/,
  )
  first.child.kill('SIGINT')
  const { code, out, err } = await first.finished
  expect([code, out.split('\n').at(-2), err]).toEqual([0, 'stopped', ''])
  const second = startCli(['up'], env)
  await until(() => second.output().includes('Stop with Ctrl-C'))
  expect((await runCli(['usage', 'acme-corp', '--json'], env)).out).toContain('"totalTokens": 1500')
  // Killed without warning, it leaves a database behind; the next start takes over.
  second.child.kill('SIGKILL')
  await second.finished
  const third = startCli(['up'], env)
  await until(() => third.output().includes('Stop with Ctrl-C'))
  expect((await runCli(['verify'], env)).code).toBe(0)
  third.child.kill('SIGINT')
  expect((await third.finished).code).toBe(0)
})
