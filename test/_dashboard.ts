import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Locator, Page } from 'playwright-core'
import { startCli } from './_cli.ts'
import { createDatabase, until } from './_context.ts'
import { AUTHORIZATION, KEY } from './_key.ts'
import { freePort } from './_valkey.ts'
import { emptyFolder } from './_folder.ts'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Everything in one process, as `npm start` runs it, on the test's own database. */
export async function startServer() {
  const dir = await emptyFolder()
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

export async function signIn(page: Page, key = KEY): Promise<void> {
  await page.getByLabel('Key', { exact: true }).fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('Live', { exact: true }).waitFor()
}

/** Waits until a field has the focus: it is visible before that, but keys typed then are lost. */
export const focused = (field: Locator): Promise<void> => field.and(field.page().locator(':focus')).waitFor()

/** Searches using only the keyboard. */
export async function searchByKey(page: Page, text: string): Promise<void> {
  const field = page.getByRole('searchbox')
  await field.waitFor()
  await page.keyboard.press('/')
  await focused(field)
  await page.keyboard.type(text)
}

export const rowOf = (page: Page, tenant: string) =>
  page.getByRole('row').filter({ has: page.getByRole('link', { name: tenant, exact: true }) })
export const barOf = (page: Page, tenant: string) =>
  page.getByRole('meter', { name: `Quota of ${tenant}`, exact: true })
export const used = async (page: Page, tenant: string) =>
  Number(await barOf(page, tenant).getAttribute('aria-valuenow'))

/** The accessibility barriers that axe-core finds. */
export async function barriers(page: Page): Promise<string[]> {
  // The page's policy blocks injected scripts, except through the driver's own channel.
  await page.evaluate(axe)
  const { violations } = await page.evaluate<any>('axe.run()')
  return violations
    .filter(({ impact }: any) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }: any) => nodes.map(({ html }: any) => `${id}: ${html}`))
}
