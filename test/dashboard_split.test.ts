import { afterAll, expect, test } from 'vitest'
import { browserPath, closeBrowser, openPage } from './_browser.ts'
import { barriers, signIn } from './_dashboard.ts'
import { createTestServer } from './_context.ts'

afterAll(closeBrowser)

test.skipIf(!browserPath)('shows cost by model and user, a page per user, and prices, without barriers', async () => {
  const { url, post } = await createTestServer({ DIMENSIONS: 'team' })
  const call = { tenant: 'acme-corp', feature: 'chat', user: 'ü/ 17', dimensions: { team: 'search' } }
  const usage = { input: 1_000_000, cacheRead: 1_000_000, output: 100_000 }
  await post('/api/quotas', { tenant: 'acme-corp', per: 'user', period: 'month', costLimit: 10 })
  await post('/api/events', [
    { ...call, model: 'gpt-4o', usage },
    { ...call, model: 'nobody-knows', user: 'v', usage },
  ])
  const { page } = await openPage(url)
  await signIn(page)
  await page.goto(`${url}/tenants/acme-corp`)
  const chart = page.getByRole('region', { name: /by \w+$/ })
  const choose = (name: string) => chart.getByRole('button', { name, exact: true }).click()
  const row = (name: string) => chart.getByRole('row').filter({ hasText: name })
  await row('chat').waitFor()
  await choose('model')
  await row('gpt-4o').getByText('2,100,000').waitFor()
  await choose('Cost')
  await row('gpt-4o').getByText('$4.75').waitFor()
  await row('nobody-knows').getByText('and 1 unpriced').waitFor()
  await choose('team')
  await row('search').getByText('$4.75').waitFor()
  await choose('pool')
  await row('cacheRead').getByText('2,000,000').waitFor()
  expect(await chart.getByRole('button', { name: 'Cost' }).isDisabled()).toBe(true)
  await choose('user')
  await row('ü/ 17').getByRole('link').click()
  await page.getByRole('heading', { name: 'ü/ 17', level: 1 }).waitFor()
  await page.getByText('$4.75 of $10.00').waitFor()
  expect(await barriers(page)).toEqual([])

  await page.getByRole('link', { name: 'Prices' }).click()
  await page.getByText('models of').waitFor()
  await page.getByRole('button', { name: 'Set price' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Model').fill('nobody-*')
  await dialog.getByLabel('Input', { exact: true }).fill('0.25')
  await dialog.getByLabel('Output', { exact: true }).fill('1.5')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('row').filter({ hasText: 'nobody-*' }).getByText('$0.25').first().waitFor()
  expect(await barriers(page)).toEqual([])
})
