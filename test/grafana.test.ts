import { existsSync } from 'node:fs'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import postgres from 'postgres'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { parse } from 'yaml'
import service from '../docker/grafana/service.ts'
import tenants from '../docker/grafana/tenants.ts'
import { createTestServer, until } from './_context.ts'
import { cross, tenantId } from './_deliveries.ts'
import { existsOnPath, freePort } from './_valkey.ts'

const root = join(import.meta.dirname, '..')
const grafana = join(root, 'docker/grafana')

interface Target {
  expr?: string
  rawSql?: string
  datasource: { type: string; uid: string }
}

const targetsOf = (dashboard: typeof service, uid: string) =>
  dashboard
    .panels!.flatMap((panel) =>
      ('targets' in panel ? (panel.targets as unknown as Target[]) : []).map((t) => ({ panel, t })),
    )
    .filter(({ t }) => t.datasource.uid === uid)
    .map(({ panel, t }) => ({ title: panel.title!, query: (t.expr ?? t.rawSql)! }))

test('the dashboards that Grafana reads match their sources (`npm run dashboards` writes them)', async () => {
  for (const [name, dashboard] of Object.entries({ service, tenants })) {
    const written = JSON.parse(await readFile(join(grafana, `dashboards/${name}.json`), 'utf8')) as unknown
    expect(written).toEqual(JSON.parse(JSON.stringify(dashboard)))
  }
  expect(await readdir(join(grafana, 'dashboards'))).toHaveLength(2)
})

test('every panel queries a provisioned data source, and no two overlap', async () => {
  const file = await readFile(join(grafana, 'provisioning/datasources/datasources.yml'), 'utf8')
  const sources = (parse(file) as { datasources: { uid: string; type: string }[] }).datasources
  for (const { panels } of [service, tenants]) {
    const taken = new Set<string>()
    for (const panel of panels!) {
      const { uid, type } = (panel as { datasource: { uid: string; type: string } }).datasource
      expect(sources).toContainEqual(expect.objectContaining({ uid, type }))
      const { x, y, w } = panel.gridPos!
      for (let column = x; column < x + w; column++) {
        expect([panel.title, column < 24, taken.has(`${column}/${y}`)]).toEqual([panel.title, true, false])
        taken.add(`${column}/${y}`)
      }
    }
  }
})

describe.skipIf(!existsOnPath('psql'))('the role that Grafana reads with (needs psql on the PATH)', () => {
  test('gets rows for every panel of the tenants, and nothing else', async () => {
    const { ctx, post, databaseUrl } = await createTestServer()
    await post('/api/events', [
      { tenant: 'acme-corp', feature: 'a', tokens: 900_000 },
      { tenant: 'globex-inc', feature: 'b', tokens: 10 },
    ])
    await ctx.database`
      insert into webhooks (tenant_id, kind, url, host, enabled)
      values (${await tenantId(ctx)}, 'slack', 'https://x.example', 'x', true)`
    await cross(ctx, 100)
    await ctx.database`
      insert into usage_periods (tenant_id, quota_id, period_start, period_end, total_tokens, event_count)
      select id, id, '2020-01-01', '2020-02-01', 1, 1 from tenants limit 1`
    const readerSql = join(grafana, 'reader.sql')
    const password = 'it needs-"quotes'
    for (let run = 0; run < 2; run++)
      await promisify(execFile)('psql', ['-q', '-v', `password=${password}`, '-f', readerSql, databaseUrl])
    const url = new URL(databaseUrl)
    url.username = 'flagmeter_reader'
    url.password = encodeURIComponent(password)
    const reader = postgres(url.href, { max: 1, onnotice: () => {} })
    onTestFinished(() => reader.end())
    for (const { title, query } of targetsOf(tenants, 'postgres')) {
      const sql = query.replaceAll(/\$__timeFilter\((\w+)\)/g, "$1 between now() - interval '1 day' and now()")
      expect([title, (await reader.unsafe(sql)).length]).toEqual([title, expect.not.toBeOneOf([0])])
    }
    for (const closed of [
      'select 1 from api_keys',
      'select 1 from webhooks',
      'select 1 from audit_log',
      'select 1 from events',
    ])
      await expect(reader.unsafe(closed)).rejects.toThrow('permission denied')
    await expect(reader.unsafe("update tenants set name = 'x'")).rejects.toThrow(/read-only|permission denied/)
    await reader.unsafe('set default_transaction_read_only = off')
    await expect(reader.unsafe("update tenants set name = 'x'")).rejects.toThrow('permission denied')
  })
})

const canRun = existsOnPath('prometheus') && inject('valkeyServer')

describe.skipIf(!canRun)('npm run stack (needs prometheus, and valkey-server or redis-server, on the PATH)', () => {
  test('starts everything; every panel of the service has data in the Prometheus that scrapes it', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'flagmeter-stack-'))
    const [API_PORT, PROMETHEUS_PORT] = [String(await freePort()), String(await freePort())]
    const env = { PATH: process.env.PATH, FLAGMETER_DIR: dir, API_PORT, PROMETHEUS_PORT, SCRAPE_INTERVAL: '1s' }
    await promisify(execFile)(process.execPath, ['esbuild.config.mjs'], { cwd: root })
    const stack = spawn(process.execPath, ['--import', 'tsx', 'docker/stack.ts'], { cwd: root, env })
    let output = ''
    for (const stream of [stack.stdout, stack.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    onTestFinished(async () => {
      if (stack.exitCode === null) {
        stack.kill('SIGTERM')
        await once(stack, 'exit')
      }
      await rm(dir, { recursive: true, force: true })
    })
    await until(() => output.includes('Stop with Ctrl-C') || stack.exitCode !== null, 90_000)
    expect(output).toContain('The stack is running')

    // The server makes the first key when it is up, and is ready a moment before.
    const keyFile = join(dir, 'stack/admin-key')
    await until(() => existsSync(keyFile))
    const key = (await readFile(keyFile, 'utf8')).trim()
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const send = async (body: unknown, path = '/api/events') =>
      (await fetch(`http://127.0.0.1:${API_PORT}${path}`, { method: 'POST', headers, body: JSON.stringify(body) }))
        .status
    await until(async () => (await send({ name: 'acme-corp' }, '/api/tenants')) === 201)
    const load = setInterval(() => void send({ tenant: 'acme-corp', feature: 'x', tokens: 1 }).catch(() => {}), 50)
    onTestFinished(() => clearInterval(load))
    expect(await send({ tenant: 'nobody', feature: 'x', tokens: 1 })).toBe(404)

    const ask = async (query: string): Promise<number[]> => {
      const search = new URLSearchParams({ query: query.replaceAll('$__rate_interval', '30s') })
      const answer = await fetch(`http://127.0.0.1:${PROMETHEUS_PORT}/api/v1/query?${search.toString()}`)
      const { status, error, data } = (await answer.json()) as any
      expect([query, status, error]).toEqual([query, 'success', undefined])
      return data.result.map(({ value }: any) => Number(value[1])).filter((value: number) => !Number.isNaN(value))
    }
    await until(async () => (await ask('sum(rate(flagmeter_freshness_seconds_count[30s]))'))[0]! > 0)
    const panels = targetsOf(service, 'prometheus')
    expect(panels.length).toBeGreaterThan(35)
    // A rate needs two samples, and the processes are scraped at different moments.
    const empty = async () => {
      const found = await Promise.all(panels.map(async (panel) => ({ ...panel, values: await ask(panel.query) })))
      return found.filter(({ values }) => values.length === 0)
    }
    await until(async () => (await empty()).length === 0).catch(() => {})
    expect(await empty()).toEqual([])
    stack.kill('SIGINT')
    expect((await once(stack, 'exit'))[0]).toBe(0)
    expect(output).not.toMatch(/ended \(|"level":(50|60)/)
  })
})
