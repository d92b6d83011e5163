import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { SETTINGS } from '../lib/config.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFile(join(root, file), 'utf8')

interface Service {
  image: string
  restart: string
  mem_limit: string
  cpus: number
  healthcheck?: unknown
  command?: string[]
  environment?: Record<string, string | null>
  read_only?: boolean
  cap_drop?: string[]
  security_opt?: string[]
  ports?: string[]
  logging?: unknown
}

const services = async (): Promise<[string, Service][]> => {
  const text = await read('compose.yml')
  return Object.entries((parse(text, { merge: true }) as { services: Record<string, Service> }).services)
}

test('the limits of the stack add up to at most 2 GB of memory and 1.5 CPUs', async () => {
  const all = (await services()).map(([, service]) => service)
  expect(all.every(({ mem_limit }) => /^\d+m$/.test(mem_limit))).toBe(true)
  expect(all.reduce((sum, { mem_limit }) => sum + Number.parseInt(mem_limit, 10) * 2 ** 20, 0)).toBeLessThan(2e9)
  expect(all.reduce((sum, { cpus }) => sum + Math.round(cpus * 100), 0)).toBeLessThanOrEqual(150)
})

test('every service restarts, has a health check, a small log, a read-only root and few capabilities', async () => {
  for (const [name, service] of await services()) {
    expect([name, service.restart]).toEqual([name, /^(migrate|reader)$/.test(name) ? 'no' : 'unless-stopped'])
    if (service.restart !== 'no') expect([name, service.healthcheck]).toEqual([name, expect.anything()])
    expect([name, service.read_only, service.cap_drop, service.security_opt, service.ports]).toEqual([
      name,
      true,
      ['ALL'],
      ['no-new-privileges:true'],
      undefined, // ports of the host are opened in compose.override.yml, which Coolify does not read
    ])
    expect([name, service.logging]).toEqual([name, expect.anything()])
  }
})

const settings = SETTINGS.map(({ variable }) => variable)

/** Settings that the stack decides itself, and those of commands that call a server elsewhere. */
const FIXED = [
  'DATABASE_URL',
  'VALKEY_URL',
  'PORT',
  'HOST',
  'METRICS_PORT',
  'FLAGMETER_DIR',
  'FLAGMETER_KEY',
  'FLAGMETER_URL',
]

test('compose passes on every setting that the stack does not decide itself, under its own name', async () => {
  const passed = new Set<string>()
  for (const [name, { environment = {}, image }] of await services()) {
    if (!image.startsWith('flagmeter')) continue
    for (const [setting, value] of Object.entries(environment)) {
      const variable = /^\$\{(\w+):-[\w]*\}$/.exec(value ?? '')?.[1]
      if (variable !== undefined) expect([name, variable]).toEqual([name, setting])
      if (variable !== undefined) passed.add(setting)
    }
  }
  expect([...passed, ...FIXED].toSorted()).toEqual(settings.toSorted())
})

test('.env.example names only variables that compose reads, and all of those that are not settings', async () => {
  const composed = (await read('compose.yml')) + (await read('compose.override.yml'))
  const used = new Set([...composed.matchAll(/\$\{(\w+)/g)].map(([, variable]) => variable!))
  const named = [...(await read('.env.example')).matchAll(/^#?([A-Z][A-Z0-9_]+)=/gm)].map(([, variable]) => variable!)
  expect(named.filter((variable) => !used.has(variable))).toEqual(['COMPOSE_PROFILES']) // Compose itself reads that
  expect([...used].filter((variable) => !named.includes(variable) && !settings.includes(variable))).toEqual([])
})

test('compose passes on settings that exist, and .env.example names every password it asks for', async () => {
  const coolify = /^SERVICE_/
  for (const [name, { environment = {}, image }] of await services()) {
    if (!image.startsWith('flagmeter')) continue
    const unknown = Object.keys(environment).filter((setting) => !settings.includes(setting) && !coolify.test(setting))
    expect([name, unknown]).toEqual([name, []])
  }
  const required = new Set([...(await read('compose.yml')).matchAll(/\$\{(\w+):\?/g)].map(([, variable]) => variable))
  const example = await read('.env.example')
  expect(required.size).toBeGreaterThan(1)
  for (const variable of required) expect(example).toMatch(new RegExp(`^${variable}=$`, 'm'))
})

test('the example tenants come only with compose.override.yml, on your own machine', async () => {
  const settingIn = async (file: string) =>
    (parse(await read(file), { merge: true }) as { services: Record<string, Service> }).services.migrate!.environment!
      .SEED_EXAMPLES
  expect([await settingIn('compose.yml'), await settingIn('compose.override.yml')]).toEqual([
    '${SEED_EXAMPLES:-}',
    '${SEED_EXAMPLES:-true}',
  ])
})

test('Valkey writes what it accepts to disk, and evicts nothing', async () => {
  const [, valkey] = (await services()).find(([name]) => name === 'valkey')!
  expect(valkey.command!.join(' ')).toMatch(
    /--appendonly yes --appendfsync always .*--maxmemory \d+mb --maxmemory-policy noeviction/,
  )
})

test('.env, dumps and keys are kept out of commits and images; .env.example is not', async () => {
  const isIgnored = (path: string) => spawnSync('git', ['check-ignore', '-q', '--no-index', path], { cwd: root }).status
  for (const path of ['.env', '.env.local', 'before-the-upgrade.dump', '.flagmeter/admin-key'])
    expect([path, isIgnored(path)]).toEqual([path, 0])
  expect(isIgnored('.env.example')).toBe(1)
  const [first, ...allowed] = (await read('.dockerignore')).trim().split('\n')
  expect([first, allowed.filter((line) => !/^!\w|^!\.npmrc$/.test(line))]).toEqual(['*', []])
})
