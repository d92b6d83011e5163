import { mkdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { seed } from '../cli/seed.ts'
import { openDatabase } from '../lib/store/connection.ts'
import { type Started, runCli, startCli } from './_cli.ts'
import { createDatabase, until } from './_context.ts'
import { clusterFolder } from './_cluster.ts'
import { emptyFolder } from './_folder.ts'
import { atMost } from './_counts.ts'

/** A key in any text. */
const KEY = /fm_\w{36}/
/** Without the harness's key, so that the first start makes one. */
const OWN_KEY = { FLAGMETER_ADMIN_KEY: '', FLAGMETER_KEY: '', PORT: '0' }
/** The embedded PostgreSQL must be able to enter it. */
const dataFolder = async () => join(await emptyFolder(inject('storesDir')), 'data')

async function startUp(env: Record<string, string>): Promise<Started & { url: string }> {
  const up = startCli(['up'], { ...OWN_KEY, ...env })
  await until(() => up.output().includes('Stop with Ctrl-C'))
  return { ...up, url: /running at (\S+)/.exec(up.output())![1]! }
}

async function stop({ child, finished }: Started): Promise<void> {
  child.kill('SIGINT')
  expect((await finished).code).toBe(0)
}

test('no start of `up` shows the key: each says where it is', async () => {
  const FLAGMETER_DIR = await dataFolder()
  const file = join(FLAGMETER_DIR, 'admin-key')
  for (const said of [`Created the first admin key: ${file}`, `asks for a key: the one in ${file}`]) {
    const up = await startUp({ FLAGMETER_DIR, LOG_LEVEL: 'trace' })
    await stop(up)
    expect(await readFile(file, 'utf8')).toMatch(KEY)
    expect(up.output()).toContain(said)
    expect(up.output()).toContain(`Bearer $(cat ${file})`)
    expect(up.output()).not.toMatch(KEY)
  }
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('no log of `serve` shows the key, store passwords, or the URL of a webhook that cannot be stored', async () => {
  const databaseUrl = await createDatabase()
  const FLAGMETER_DIR = await dataFolder()
  const valkey = new URL(inject('valkeyUrl'))
  valkey.password = 'geheim'
  const env = { DATABASE_URL: databaseUrl, VALKEY_URL: valkey.href, FLAGMETER_DIR, LOG_LEVEL: 'trace' }
  const serving = startCli(['serve'], { ...OWN_KEY, ...env })
  await until(() => serving.output().includes('made the first admin key'))
  const database = openDatabase({ databaseUrl, databasePoolSize: 1 })
  onTestFinished(() => database.end())
  await seed(database)
  await database`alter table webhooks add constraint none check (false) not valid`
  const key = (await readFile(join(FLAGMETER_DIR, 'admin-key'), 'utf8')).trim()
  const webhook = { tenant: 'acme-corp', kind: 'slack', url: 'https://hooks.slack.com/services/T0/B0/topsecret' }
  const answer = await fetch(`${/"url":"([^"]+)"/.exec(serving.output())![1]}/api/webhooks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(webhook),
  })
  expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining('topsecret')])
  await stop(serving)
  expect(serving.output()).toContain('violates check constraint')
  expect(serving.output()).not.toContain('topsecret')
  expect(serving.output()).not.toMatch(KEY)
  for (const password of ['geheim', new URL(databaseUrl).password]) expect(serving.output()).not.toContain(password)
})

describe('an unusable folder is reported in one line', () => {
  test.each<[string, (dir: string) => Promise<string>, RegExp]>([
    ['below /proc', () => Promise.resolve('/proc/flagmeter/data'), /ENOENT: no folder can be made there/],
    ['/proc itself', () => Promise.resolve('/proc'), /can't write to \/proc /],
    ['below a device', () => Promise.resolve('/dev/null/x'), /ENOTDIR: a file is in the way/],
    [
      'a file',
      async (dir) => {
        await writeFile(join(dir, 'file'), '')
        return join(dir, 'file')
      },
      /ENOTDIR: a file is in the way/,
    ],
    [
      'a link that leads nowhere',
      async (dir) => {
        await symlink(join(dir, 'gone/away'), join(dir, 'link'))
        return join(dir, 'link')
      },
      /ENOENT: .* a link leads nowhere/,
    ],
    [
      'below a link that leads nowhere',
      async (dir) => {
        await symlink(join(dir, 'gone/away'), join(dir, 'link'))
        return join(dir, 'link/data')
      },
      /ENOENT: .* a link leads nowhere/,
    ],
    [
      'a link in a circle',
      async (dir) => {
        await symlink(join(dir, 'circle'), join(dir, 'circle'))
        return join(dir, 'circle/data')
      },
      /ELOOP/,
    ],
    ['a name too long', (dir) => Promise.resolve(join(dir, 'x'.repeat(300))), /ENAMETOOLONG: the path is too long/],
    [
      'a path too long for PostgreSQL',
      (dir) => Promise.resolve(join(dir, ...Array.from({ length: 12 }, () => 'x'.repeat(100)))),
      /path is too long for PostgreSQL/,
    ],
  ])('%s', async (_name, make, message) => {
    const FLAGMETER_DIR = await make(await emptyFolder())
    const at = performance.now()
    const { code, err } = await runCli(['up'], { ...OWN_KEY, FLAGMETER_DIR })
    expect([code, err.trim().split('\n')]).toEqual([1, [expect.stringMatching(message)]])
    expect(err).toMatch(/^flagmeter: /)
    expect(performance.now() - at).toBeLessThan(atMost(20_000))
  })

  test('by `serve` too: it says that it cannot write its key, and stops when told to', async () => {
    const env = { DATABASE_URL: await createDatabase(), FLAGMETER_DIR: '/proc/flagmeter/data' }
    const serving = startCli(['serve'], { ...OWN_KEY, ...env })
    await until(() => serving.output().includes('no admin key yet'))
    expect(serving.output()).toContain('ENOENT: no folder can be made there')
    await stop(serving)
  })
})

test('a database killed with SIGKILL is started again, and no event is lost or counted twice', async () => {
  const FLAGMETER_DIR = await clusterFolder()
  const up = await startUp({ FLAGMETER_DIR })
  const key = (await readFile(join(FLAGMETER_DIR, 'admin-key'), 'utf8')).trim()
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body = (id: string) => JSON.stringify({ tenant: 'acme-corp', feature: 'x', tokens: 1, id })
  const statuses = new Set<number>()
  let sent = 0
  let sending = true
  const senders = Array.from({ length: 4 }, async (_, sender) => {
    for (let i = 0; sending; i++) {
      for (let status = 0; status !== 201;) {
        const answer = await fetch(`${up.url}/api/events`, { method: 'POST', headers, body: body(`${sender}-${i}`) })
        await answer.text()
        statuses.add((status = answer.status))
        if (status !== 201) await sleep(50)
      }
      sent++
    }
  })
  const postmaster = async () =>
    Number((await readFile(join(FLAGMETER_DIR, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0])
  for (const times of [1, 2]) {
    const before = sent
    await until(() => sent > before + 50)
    process.kill(await postmaster(), 'SIGKILL')
    await until(() => up.output().split('the database is back').length === times + 1)
    const after = sent
    await until(() => sent > after + 50)
  }
  sending = false
  await Promise.all(senders)
  expect(statuses).toEqual(new Set([201, 503]))
  const usage = await fetch(`${up.url}/api/usage/acme-corp`, { headers })
  expect(await usage.json()).toMatchObject({ totalTokens: sent, eventCount: sent })
  expect(up.output()).toMatch(/flagmeter: the database is away, starting it again in 100 ms: killed by SIGKILL/)

  // What no restart can fix ends it, with a reason.
  const data = join(FLAGMETER_DIR, 'postgres')
  const killed = await postmaster()
  await rename(data, join(FLAGMETER_DIR, 'moved'))
  await mkdir(data)
  await writeFile(join(data, 'notes.txt'), 'mine')
  process.kill(killed, 'SIGKILL')
  const { code, err } = await up.finished
  expect([code, err.trim().split('\n').at(-1)]).toEqual([
    3,
    expect.stringMatching(
      /^flagmeter: the database stopped: .* holds something that is not a database.*started again 5 times/,
    ),
  ])
}, 90_000)
