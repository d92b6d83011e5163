import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { browserPath, closeBrowser, openPage } from './_browser.ts'
import { median, until } from './_context.ts'
import { rowOf, searchByKey, signIn, startServer, used } from './_dashboard.ts'
import { createReceiver } from './_deliveries.ts'
import { KEY } from './_key.ts'
import { createProxy } from './_proxy.ts'

describe.skipIf(!browserPath)('the dashboard (needs Chromium on the PATH)', () => {
  afterAll(closeBrowser)

  test('asks for a key, stores it nowhere, and updates within a second of a POST; its command works', async () => {
    const server = await startServer()
    const { page } = await openPage(server.url)
    await page.getByLabel('Key', { exact: true }).fill('fm_wrong')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').filter({ hasText: 'this is not a key: a key has 36 characters after fm_' }).waitFor()
    await signIn(page)
    const kept = await page.evaluate<string>(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, ' +
        'document.cookie, location.href, document.documentElement.outerHTML])',
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
    expect(median(took)).toBeLessThan(1_000)
    await page.locator('.totals > div', { hasText: 'Tokens/s' }).locator('dd', { hasText: 'K' }).waitFor()
  })

  test('background load moves bars, figures and charts; at 80 % colour, wording and alert follow', async () => {
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
    await rowOf(page, 'acme-corp').getByText('used up').waitFor()
    expect(await page.title()).toBe('(1) FlagMeter')
    expect(loads).toBe(0)
  })

  test('edits quota, thresholds and webhooks, retries a dead message, creates and revokes a key', async () => {
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
    await dialog.getByLabel('Limit per period').fill('500')
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

    await page.getByRole('button', { name: 'Create key' }).click()
    await dialog.getByLabel('Name').fill('from the page')
    await dialog.getByRole('button', { name: 'Create' }).click()
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

  test('says so when the server is killed, and shows current data when it is back', async () => {
    const server = await startServer()
    const { page } = await openPage(server.url)
    await signIn(page)
    await server.spend(100_000)
    await until(async () => (await used(page, 'acme-corp')) === 10)
    server.cli.child.kill('SIGKILL')
    await page.getByText(/^The connection is lost/).waitFor({ timeout: 10_000 })
    await page.getByText('Reconnecting', { exact: true }).waitFor()
    await server.start()
    await page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 })
    await page.getByText(/^The connection is lost/).waitFor({ state: 'detached' })
    await server.spend(200_000)
    await until(async () => (await used(page, 'acme-corp')) === 30)
  })

  test('notices a silently broken connection within seconds, with every kind of key', async () => {
    const server = await startServer()
    const { key } = await server.api('POST', '/api/keys', { name: 'customer', scopes: ['read'], tenant: 'acme-corp' })
    const proxy = await createProxy(server.url)
    const pages = await Promise.all(
      [KEY, key].map(async (own) => {
        const { page } = await openPage(new URL(proxy.url).origin)
        await signIn(page, own)
        return page
      }),
    )
    proxy.set('mute')
    await Promise.all(pages.map((page) => page.getByText(/^The connection is lost/).waitFor({ timeout: 10_000 })))
    await server.spend(100_000)
    proxy.set('open')
    await Promise.all(pages.map((page) => page.getByText('Live', { exact: true }).waitFor({ timeout: 20_000 })))
    await pages[0]!.getByText('100K').first().waitFor()
    await pages[1]!.getByText('10%', { exact: true }).waitFor()
  })

  test('keeps search and order in the address, and the focus on the button after a save', async () => {
    const server = await startServer()
    const { page } = await openPage(server.url)
    await signIn(page)
    await searchByKey(page, 'INITECH')
    await page.getByRole('button', { name: 'Left' }).click()
    await page.getByText('1 of 3 tenants').waitFor()
    await page.waitForURL(`${server.url}/?search=INITECH&sort=-left`)
    await page.getByRole('link', { name: 'initech-llc' }).click()
    await page.getByRole('heading', { name: 'initech-llc' }).waitFor()
    await page.getByLabel('Tokens per month').fill('7000')
    const save = page.getByRole('button', { name: 'Save' })
    await save.press('Enter')
    await page.getByText('Saved.').waitFor()
    await page.locator(':focus', { hasText: 'Save' }).waitFor()
    await page.getByRole('link', { name: 'All tenants' }).click()
    await page.getByText('1 of 3 tenants').waitFor()
    expect(await page.getByRole('searchbox').inputValue()).toBe('INITECH')
    await page.reload()
    await page.getByText('1 of 3 tenants').waitFor()
    expect(await page.getByRole('columnheader', { name: 'Left' }).getAttribute('aria-sort')).toBe('descending')
  })
})
