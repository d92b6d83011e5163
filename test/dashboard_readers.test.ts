import { afterAll, describe, expect, test } from 'vitest'
import { browserPath, closeBrowser, openPage } from './_browser.ts'
import { until } from './_context.ts'
import { barriers, focused, searchByKey, signIn, startServer } from './_dashboard.ts'
import { KEY } from './_key.ts'

describe.skipIf(!browserPath)('readers of the dashboard (needs Chromium on the PATH)', () => {
  afterAll(closeBrowser)

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

  test("a tenant's key sees only its tenant, on any path", async () => {
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
    for (const name of ['Create key', 'Add quota', 'Add webhook', 'Save', 'All tenants'])
      expect([name, await page.getByText(name, { exact: true }).count()]).toEqual([name, 0])
  })

  test('1,000 hostile names of tenants and features execute nothing, and are shown verbatim', async () => {
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

  test('axe finds no serious barriers on any page, light or dark; no page scrolls sideways', async () => {
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
            '[...document.querySelectorAll("#app *")]' +
              '.filter((e) => e.getBoundingClientRect().right > innerWidth + 1)' +
              '.map((e) => e.outerHTML.slice(0, 100))',
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
    await focused(page.getByLabel('Key', { exact: true }))
    await page.keyboard.type(KEY)
    await page.keyboard.press('Enter')
    await page.getByText('Live', { exact: true }).waitFor()
    await searchByKey(page, 'globex')
    await until(async () => (await page.getByRole('table').getByRole('link').count()) === 1)
    for (
      let i = 0;
      i < 20 && !(await page.evaluate<boolean>('document.activeElement.textContent === "globex-inc"'));
      i++
    )
      await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'globex-inc' }).waitFor()
    // Formatted in the reader's language.
    await page.getByTitle('850.000').first().waitFor()
  })
})
