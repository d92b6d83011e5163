import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import { existsOnPath } from './_valkey.ts'

/** Chromium or Chrome on the PATH; if undefined, the tests that need it are listed as not run. */
export const browserPath = existsOnPath('chromium') ?? existsOnPath('google-chrome') ?? existsOnPath('chrome')

export interface TestPage {
  page: Page
  /** What went wrong in the page so far: script errors, policy violations, requests to another host. */
  mistakes: string[]
}

let browser: Promise<Browser> | undefined

/** Starts the browser on first use; one per test file. */
const openBrowser = () => (browser ??= chromium.launch({ executablePath: browserPath!, args: ['--no-sandbox'] }))

/** Closes the browser, if one was started. For `afterAll`; the next file of the same test worker starts its own. */
export async function closeBrowser(): Promise<void> {
  const open = browser
  browser = undefined
  await (await open)?.close()
}

/** A page in its own profile that records every error; if there are any, the test fails at its end. */
export async function openPage(url: string, options: BrowserContextOptions = {}): Promise<TestPage> {
  const context = await (await openBrowser()).newContext({ locale: 'en-US', timezoneId: 'UTC', ...options })
  const page = await context.newPage()
  const mistakes: string[] = []
  page.on('pageerror', (error) => mistakes.push(`${error.name}: ${error.message}`))
  page.on('console', (message) => {
    // The browser itself logs every refused or failed request; the tests are about how the page handles it.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      mistakes.push(message.text())
  })
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== url) mistakes.push(`asked ${request.url()}`)
  })
  page.on('dialog', (dialog) => {
    mistakes.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  onTestFinished(async () => {
    await context.close()
    expect(mistakes).toEqual([])
  })
  await page.goto(url)
  return { page, mistakes }
}
