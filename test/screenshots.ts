// `npm run screenshots`: pictures of the dashboard for the documentation, of a server with a month of made-up usage.
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContextOptions, type Page, chromium } from 'playwright-core'
import { existsOnPath, freePort } from './_valkey.ts'
import { createRandom } from './_random.ts'

const root = join(import.meta.dirname, '..')
const out = join(root, 'docs/screenshots')
const DAY_MS = 86_400_000
const TENANTS = [
  'acme-corp',
  'globex-inc',
  'initech-llc',
  'hooli',
  'pied-piper',
  'umbrella',
  'stark-industries',
  'wayne-enterprises',
]
const FEATURES = ['gpt-4-turbo', 'gpt-4o', 'claude-sonnet', 'embeddings', 'whisper']
const { below, next } = createRandom(7)

const dir = await mkdtemp(join(tmpdir(), 'flagmeter-screenshots-'))
const PORT = String(await freePort())
const url = `http://127.0.0.1:${PORT}`
const env = { PATH: process.env.PATH, FLAGMETER_DIR: dir, PORT, WEBHOOK_ALLOW_PRIVATE: 'true' }
const server = spawn(process.execPath, [join(root, 'dist/cli/main.js'), 'up'], { cwd: root, env, stdio: 'inherit' })
const browser = await chromium.launch({ executablePath: existsOnPath('chromium')!, args: ['--no-sandbox'] })
try {
  await mkdir(out, { recursive: true })
  while (!(await fetch(`${url}/api/health`).catch(() => undefined))?.ok) await pause(100)
  const key = (await readFile(join(dir, 'admin-key'), 'utf8')).trim()
  await shoot('sign-in', '/', {})
  await shoot('first-start', '/', { key })
  await fill(key)
  const load = setInterval(() => void post(key, '/api/events', [event(), event(), event()]), 100)
  for (const scheme of ['light', 'dark'] as const) {
    await shoot(`overview-${scheme}`, '/', { key, colorScheme: scheme })
    await shoot(`tenant-${scheme}`, '/tenants/acme-corp', {
      key,
      colorScheme: scheme,
      viewport: { width: 1280, height: 1500 },
    })
  }
  const phone = { width: 390, height: 844 }
  await shoot('overview-phone', '/', { key, viewport: phone })
  await shoot('tenant-phone', '/tenants/acme-corp', { key, viewport: phone })
  clearInterval(load)
  await shoot('connection-lost', '/', { key }, async () => {
    server.kill('SIGKILL')
    await pause(4_000)
  })
} finally {
  await browser.close()
  server.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
}

async function shoot(
  name: string,
  path: string,
  { key, ...options }: BrowserContextOptions & { key?: string },
  before?: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 760 },
    locale: 'en-US',
    timezoneId: 'UTC',
    ...options,
  })
  const page = await context.newPage()
  await page.goto(url + path)
  if (key !== undefined) {
    await page.getByLabel('Key', { exact: true }).fill(key)
    await page.getByRole('button', { name: 'Sign in' }).click()
  }
  await pause(4_000)
  await before?.(page)
  await page.mouse.move(0, 0)
  await page.screenshot({ path: join(out, `${name}.png`) })
  await context.close()
}

function event(at = Date.now()) {
  const tenant = TENANTS[Math.min(below(TENANTS.length), below(TENANTS.length))]!
  const feature = FEATURES[Math.min(below(FEATURES.length), below(FEATURES.length))]!
  return { tenant, feature, tokens: 200 + below(3_000), timestamp: new Date(at).toISOString() }
}

async function fill(key: string): Promise<void> {
  for (const name of TENANTS) await post(key, '/api/tenants', { name, monthlyQuota: 2_000_000 + below(8) * 1_000_000 })
  await send(key, 'PATCH', '/api/tenants/acme-corp', { monthlyQuota: 11_000_000, thresholds: [50, 80, 100] })
  await send(key, 'PATCH', '/api/tenants/initech-llc', { monthlyQuota: 4_400_000 })
  await send(key, 'PATCH', '/api/tenants/globex-inc', { monthlyQuota: 6_000_000 })
  await post(key, '/api/quotas', { tenant: 'acme-corp', feature: 'gpt-4-turbo', period: 'day', tokenLimit: 400_000 })
  const now = Date.now()
  for (let batch = 0; batch < 4; batch++) {
    const events = Array.from({ length: 5_000 }, () => {
      const at = now - next() * 30 * DAY_MS
      const hour = new Date(at).getUTCHours()
      return event(hour > 7 && hour < 20 ? at : Math.min(now, at + below(8) * 3_600_000))
    })
    await post(key, '/api/events', events)
  }
}

async function post(key: string, path: string, body: object): Promise<void> {
  await send(key, 'POST', path, body)
}

async function send(key: string, method: string, path: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  await fetch(url + path, { method, headers, body: JSON.stringify(body) }).catch(() => {})
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
