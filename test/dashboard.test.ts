import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Page } from 'playwright-core'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { browserPath, closeBrowser, openPage } from './_browser.ts'
import { startCli } from './_cli.ts'
import { createDatabase, until } from './_context.ts'
import { createReceiver } from './_deliveries.ts'
import { AUTHORIZATION, KEY } from './_key.ts'
import { freePort } from './_valkey.ts'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Everything in one process, as `npm start` runs it, on a database of the test's own. */
async function startServer() {
  const dir = await mkdtemp(join(tmpdir(), 'flagmeter-dashboard-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  const PORT = String(await freePort())
  const env = { DATABASE_URL: await createDatabase(), FLAGMETER_DIR: dir, PORT, WEBHOOK_ALLOW_PRIVATE: 'true' }
  const url = `http://127.0.0.1:${PORT}`
  const start = async () => {
    const cli = startCli(['up'], env)
    await until(() => cli.output().includes('FlagMeter is running'), 60_000)
    return cli
  }
  const api = async (method: string, path: string, body?: object) => {
    const headers = { ...AUTHORIZATION, ...(body && { 'content-type': 'application/json' }) }
    const answer = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
    return (await answer.json()) as any
  }
  const spend = (tokens: number, fields: object = {}) =>
    api('POST', '/api/events', { tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens, ...fields })
  return { url, env, start, cli: await start(), api, spend }
}

async function signIn(page: Page, key = KEY): Promise<void> {
  await page.getByLabel('Key', { exact: true }).fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Live', { exact: true }).waitFor()
}

const rowOf = (page: Page, tenant: string) =>
  page.getByRole('row').filter({ has: page.getByRole('link', { name: tenant, exact: true }) })
const barOf = (page: Page, tenant: string) => page.getByRole('meter', { name: `Quota of ${tenant}`, exact: true })
const used = async (page: Page, tenant: string) => Number(await barOf(page, tenant).getAttribute('aria-valuenow'))

/** What axe-core finds that keeps people out. */
async function barriers(page: Page): Promise<string[]> {
  // The policy of the page lets no script in; the driver's own channel does.
  await page.evaluate(axe)
  const { violations } = await page.evaluate<any>('axe.run()')
  return violations
    .filter(({ impact }: any) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }: any) => nodes.map(({ html }: any) => `${id}: ${html}`))
}

describe.skipIf(!browserPath)('the dashboard (needs Chromium on the PATH)', () => {
  afterAll(closeBrowser)

  test('asks for a key, keeps it nowhere, and moves within a second of a POST; the command it shows works', async () => {
    const server = await startServer()
    const { page } = await openPage(server.url)
    await page.getByLabel('Key', { exact: true }).fill('fm_wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').filter({ hasText: 'this is no key, or a mistyped one' }).waitFor()
    await signIn(page)
    const kept = await page.evaluate<string>(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href, document.documentElement.outerHTML])',
    )
    expect(kept).not.toMatch(/fm_\w{36}|fs_/)
    expect(await page.title()).toBe('FlagMeter')

    const line = (await page.getByLabel('A command that reports 1,500 tokens').textContent())!
    await promisify(execFile)('bash', ['-c', line], { env: { ...process.env, FLAGMETER_KEY: KEY } })
    await rowOf(page, 'acme-corp').getByText('1,500').first().waitFor({ timeout: 2_000 })
    await page.getByText('No event has been counted yet').waitFor({ state: 'detached' })

    const took: number[] = []
    for (let tokens = 100_000; tokens <= 400_000; tokens += 100_000) {
      const before = await used(page, 'acme-corp')
      const sentAt = performance.now()
      await server.spend(100_000)
      await until(async () => (await used(page, 'acme-corp')) >= before + 10)
      took.push(performance.now() - sentAt)
    }
    expect(Math.max(...took)).toBeLessThan(1_000)
    await page.locator('.totals > div', { hasText: 'Tokens/s' }).locator('dd', { hasText: 'K' }).waitFor()
  })

  test('a load in the background moves bars, figures and charts without a reload; at 80 % colour, words and alert follow', async () => {
    const server = await startServer()
    const receiver = await createReceiver()
    await server.api('POST', '/api/webhooks', { tenant: 'acme-corp', kind: 'slack', url: receiver.url })
    const { page } = await openPage(server.url)
    await signIn(page)
    let loads = 0
    page.on('load', () => loads++)
    await rowOf(page, 'acme-corp').getByRole('link').click()
    await page.getByRole('heading', { name: 'acme-corp' }).waitFor()
    const picture = async () => (await page.locator('.chart').first().screenshot()).toString('base64')
    const meter = page.getByRole('meter', { name: 'Monthly quota' })
    await server.spend(100_000, { feature: 'a' })
    await page.getByRole('rowheader', { name: 'a', exact: true }).waitFor()
    const before = await picture()
    for (let i = 0; i < 6; i++) await server.spend(100_000, { feature: `feature-${i}` })
    await until(async () => Number(await meter.getAttribute('aria-valuenow')) === 70)
    await page.getByRole('rowheader', { name: 'feature-5' }).waitFor()
    expect(await picture()).not.toBe(before)
    expect(await page.getByText('≥ 80 %').count()).toBe(0)
    expect(await page.locator('.bar.ok').count()).toBe(1)
    await server.spend(110_000)
    await page.getByText('≥ 80 %').waitFor()
    expect(await page.locator('.bar.warning').count()).toBe(1)
    const alerts = page.getByRole('region', { name: 'Alerts' })
    await alerts.getByText('of 1,000,000 tokens per month').waitFor()
    await alerts.getByText('delivered').waitFor()
    expect(receiver.received).toHaveLength(1)
    expect(await page.title()).toBe('(81 %) acme-corp · FlagMeter')
    await page.goBack()
    await rowOf(page, 'acme-corp').getByText('≥ 80 %').waitFor()
    await server.spend(200_000)
    await rowOf(page, 'acme-corp').getByText('over', { exact: true }).waitFor()
    await rowOf(page, 'acme-corp').getByText('gone').waitFor()
    expect(await page.title()).toBe('(1) FlagMeter')
    expect(loads).toBe(0)
  })

  test('changes quota and thresholds, adds, tests and disables a webhook, retries a dead message, makes and revokes a key', async () => {
    const server = await startServer()
    let status = 200
    const receiver = await createReceiver((res) => void res.writeHead(status).end())
    const { page } = await openPage(server.url)
    await signIn(page)
    await page.goto(`${server.url}/tenants/acme-corp`)
    const settings = page.getByRole('region', { name: 'Settings' })
    await settings.getByLabel('Tokens per month').fill('2000')
    await settings.getByLabel('Time zone').fill('Mars/Olympus')
    await settings.getByRole('button', { name: 'Save' }).click()
    await settings.locator('.field', { hasText: 'Time zone' }).locator('.problem').waitFor()
    await settings.getByLabel('Time zone').fill('Europe/Berlin')
    await settings.getByLabel('Thresholds in percent').fill('50, 90')
    await settings.getByRole('button', { name: 'Save' }).click()
    await settings.getByText('Saved.').waitFor()
    expect(await server.api('GET', '/api/tenants/acme-corp')).toMatchObject({
      monthlyQuota: 2000,
      thresholds: [50, 90],
      timezone: 'Europe/Berlin',
    })

    await page.getByRole('button', { name: 'Add quota' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Feature').fill('gpt-4o')
    await dialog.locator('select[name=period]').selectOption('day')
    await dialog.getByLabel('Tokens per period').fill('500')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await server.spend(250, { feature: 'gpt-4o' })
    await until(
      async () => (await page.getByRole('meter', { name: 'gpt-4o per day' }).getAttribute('aria-valuenow')) === '50',
    )

    await page.getByRole('button', { name: 'Add webhook' }).click()
    await dialog.locator('select[name=kind]').selectOption('standard')
    await dialog.getByLabel('URL').fill('ftp://example.com')
    await dialog.getByRole('button', { name: 'Add' }).click()
    await dialog.locator('.field', { hasText: 'URL' }).locator('.problem').waitFor()
    await dialog.getByLabel('URL').fill(receiver.url)
    await dialog.getByRole('button', { name: 'Add' }).click()
    expect(await dialog.getByLabel('Signing secret').textContent()).toMatch(/^whsec_/)
    await page.keyboard.press('Escape')
    const webhooks = page.getByRole('region', { name: 'Webhooks' })
    const line = webhooks.getByRole('listitem').filter({ hasText: 'standard' })
    await line.getByRole('button', { name: 'Test' }).click()
    await line.getByText('Delivered (200).').waitFor()
    expect(receiver.received).toHaveLength(1)

    status = 410 // gone for good: the webhook is disabled
    await server.spend(1_000)
    const alerts = page.getByRole('region', { name: 'Alerts' })
    await alerts.locator('.delivery.dead').first().waitFor()
    status = 200
    await line.getByRole('button', { name: 'Enable' }).click()
    await line.getByText('Enabled.').waitFor()
    await alerts.getByRole('button', { name: 'Retry' }).first().click()
    await alerts.locator('.delivery.delivered').first().waitFor()
    await line.getByRole('button', { name: 'Disable' }).click()
    await line.getByText('Disabled.').waitFor()

    await page.getByRole('button', { name: 'Make key' }).click()
    await dialog.getByLabel('Name').fill('from the page')
    await dialog.getByRole('button', { name: 'Make' }).click()
    const key = (await dialog.getByLabel('Key', { exact: true }).textContent())!
    const ask = async () =>
      (await fetch(`${server.url}/api/events`, { method: 'POST', headers: { authorization: `Bearer ${key}` } })).status
    expect(await ask()).not.toBe(401)
    await page.keyboard.press('Escape')
    const keys = page.getByRole('region', { name: 'Keys' }).getByRole('listitem').filter({ hasText: 'from the page' })
    await keys.getByRole('button', { name: 'Revoke' }).click()
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await keys.getByText(/^revoked/).waitFor()
    await until(async () => (await ask()) === 401, 2_000)
  })

  test('signing out ends the session; a session that ends elsewhere leads back to the sign-in', async () => {
    const server = await startServer()
    const { id, key } = await server.api('POST', '/api/keys', { name: 'mine', scopes: ['read'] })
    const { page } = await openPage(server.url)
    await signIn(page)
    const [cookie] = await page.context().cookies()
    expect(cookie).toMatchObject({ name: 'flagmeter', httpOnly: true, sameSite: 'Strict' })
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    expect(await page.context().cookies()).toEqual([])
    const headers = { cookie: `flagmeter=${cookie!.value}` }
    await until(async () => (await fetch(`${server.url}/api/session`, { headers })).status === 401, 2_000)
    await signIn(page, key)
    expect(await page.getByRole('button', { name: 'New tenant' }).count()).toBe(0)
    await server.api('DELETE', `/api/keys/${id}`)
    await page.getByText('The session has ended. Sign in again.').waitFor({ timeout: 15_000 })
  })

  test("a tenant's key sees its tenant alone, wherever the path leads", async () => {
    const server = await startServer()
    const { key } = await server.api('POST', '/api/keys', { name: 'customer', scopes: ['read'], tenant: 'acme-corp' })
    const { page } = await openPage(server.url)
    const answers: string[] = []
    page.on(
      'response',
      (answer) =>
        void (answer.url().endsWith('/api/stream') ? Promise.resolve('') : answer.text()).then(
          (text) => answers.push(text),
          () => {},
        ),
    )
    await signIn(page, key)
    for (const path of ['/', '/tenants/globex-inc']) {
      await page.goto(server.url + path)
      await page.getByRole('heading', { name: 'acme-corp' }).waitFor()
      await server.spend(1_000, { tenant: 'globex-inc' })
      await server.spend(1_000)
    }
    await until(
      async () => (await page.getByRole('meter', { name: 'Monthly quota' }).getAttribute('aria-valuenow')) === '0.2',
    )
    for (const text of [await page.content(), ...answers]) expect(text).not.toMatch(/globex|initech/)
    for (const name of ['Make key', 'Add quota', 'Add webhook', 'Save', 'All tenants'])
      expect([name, await page.getByText(name, { exact: true }).count()]).toEqual([name, 0])
  })

  test('1,000 hostile names of tenants and features execute nothing, and are shown as they are', async () => {
    const server = await startServer()
    const shapes = [
      '<script>alert(1)</script>',
      '<img src=x onerror=alert(1)>',
      '"><svg onload=alert(1)>',
      "';alert(1)//",
      '{{constructor.constructor("alert(1)")()}}',
      'javascript:alert(1)',
      '../../etc/passwd',
      '%3Cscript%3E',
      '__proto__',
      '\u202Egnp.exe',
      'a\u200Bb',
      '𝕏'.repeat(90),
      '</title><script>alert(1)</script>',
      '<style>*{display:none}</style>',
      '&lt;b&gt;',
    ]
    const names = Array.from({ length: 1_000 }, (_, i) => `${shapes[i % shapes.length]}${i}`)
    for (let from = 0; from < names.length; from += 50)
      await Promise.all(names.slice(from, from + 50).map((name) => server.api('POST', '/api/tenants', { name })))
    await server.api(
      'POST',
      '/api/events',
      names.map((name) => ({ tenant: name, feature: name, tokens: 5 })),
    )
    await server.api(
      'POST',
      '/api/events',
      names.slice(0, 40).map((name) => ({ tenant: 'acme-corp', feature: name, tokens: 900_000 })),
    )
    const { page } = await openPage(server.url)
    await signIn(page)
    await page.locator('[role=table][aria-busy=false]').waitFor()
    const body = page.locator('.table .body')
    const seen = new Set<string>()
    for (let top = 0; top < 1_003 * 44; top += 440) {
      await body.evaluate((element, to) => element.scrollTo(0, to), top)
      await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
      for (const name of await page.getByRole('table').getByRole('link').allTextContents()) seen.add(name)
    }
    for (const name of names) expect(seen).toContain(name)
    for (const tenant of [...names.slice(0, shapes.length), 'acme-corp']) {
      await page.goto(`${server.url}/tenants/${encodeURIComponent(tenant)}`)
      await page.getByRole('rowheader').first().waitFor()
      expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(tenant)
      expect(await page.title()).toContain(tenant)
    }
    expect(await page.locator('#app script, #app style, #app img, #app iframe, #app [onerror]').count()).toBe(0)
  })

  test('when the server is killed it says so, and when it is there again everything is of now', async () => {
    const server = await startServer()
    const { page } = await openPage(server.url)
    await signIn(page)
    await server.spend(100_000)
    await until(async () => (await used(page, 'acme-corp')) === 10)
    server.cli.child.kill('SIGKILL')
    await page.getByText('The connection is gone.').waitFor({ timeout: 10_000 })
    await page.getByText('Reconnecting', { exact: true }).waitFor()
    await server.start()
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 })
    await page.getByText('The connection is gone.').waitFor({ state: 'detached' })
    await server.spend(200_000)
    await until(async () => (await used(page, 'acme-corp')) === 30)
  })

  test('keyboard and screen reader: axe finds nothing serious on any page, light and dark; no page scrolls sideways', async () => {
    const server = await startServer()
    for (let i = 0; i < 12; i++) await server.spend(80_000, { feature: `feature-${i}` })
    await server.spend(850_000, { tenant: 'globex-inc' })
    await server.api('POST', '/api/quotas', { tenant: 'acme-corp', period: 'day', tokenLimit: 1_000 })
    for (const colorScheme of ['light', 'dark'] as const)
      for (const viewport of [
        { width: 1280, height: 900 },
        { width: 360, height: 740 },
      ]) {
        const { page } = await openPage(server.url, { colorScheme, viewport })
        const check = async (what: string) => {
          expect([what, colorScheme, viewport.width, await barriers(page)]).toEqual([
            what,
            colorScheme,
            viewport.width,
            [],
          ])
          const wide = await page.evaluate(
            '[...document.querySelectorAll("#app *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 100))',
          )
          const scrolls = await page.evaluate('document.documentElement.scrollWidth > innerWidth')
          expect([what, viewport.width, scrolls, scrolls ? wide : []]).toEqual([what, viewport.width, false, []])
        }
        await check('sign-in')
        await signIn(page)
        await page.locator('[role=table][aria-busy=false]').waitFor()
        await check('overview')
        await page.goto(`${server.url}/tenants/acme-corp`)
        await page.getByRole('rowheader').first().waitFor()
        await check('tenant')
        await page.getByRole('button', { name: 'Add webhook' }).click()
        await check('dialog')
      }
    const { page } = await openPage(server.url, { locale: 'de-DE' })
    await page.getByLabel('Key', { exact: true }).waitFor()
    await page.keyboard.type(KEY)
    await page.keyboard.press('Enter')
    await page.getByText('Live', { exact: true }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('globex')
    await until(async () => (await page.getByRole('table').getByRole('link').count()) === 1)
    for (
      let i = 0;
      i < 20 && !(await page.evaluate<boolean>('document.activeElement.textContent === "globex-inc"'));
      i++
    )
      await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'globex-inc' }).waitFor()
    // As the reader's language writes them.
    await page.getByTitle('850.000').first().waitFor()
  })
})
