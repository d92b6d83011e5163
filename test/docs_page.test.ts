import { afterAll, expect, test } from 'vitest'
import { browserPath, closeBrowser, openPage } from './_browser.ts'
import { createTestServer } from './_context.ts'
import { KEY } from './_key.ts'

afterAll(closeBrowser)

test.skipIf(!browserPath)('the page about the API shows every operation and tries one, within its policy', async () => {
  const { url, get } = await createTestServer()
  const { page } = await openPage(url)
  await page.goto(`${url}/docs`)
  await page.getByText('Report what was used.').waitFor()
  const { paths } = (await get('/api/openapi.json')).body
  const operations = Object.values<object>(paths).flatMap((methods) => Object.keys(methods))
  expect(await page.locator('.opblock').count()).toBe(operations.length)

  await page.getByRole('button', { name: 'Authorize' }).click()
  await page.getByLabel('auth-bearer-value').fill(KEY)
  await page.getByRole('button', { name: 'Apply credentials' }).first().click()
  await page.locator('.close-modal').click()
  const session = page.locator('#operations-Session-getSession')
  await session.getByRole('button').first().click()
  await session.getByRole('button', { name: 'Try it out' }).click()
  const answer = page.waitForResponse(`${url}/api/session`)
  await session.getByRole('button', { name: 'Execute' }).click()
  expect((await answer).status()).toBe(200)
  await session.getByText('Response headers').waitFor()
})
