import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { API_TYPES, apiTypes, describe as describeApi } from '../scripts/api_types.ts'
import { emptyFolder } from './_folder.ts'

const run = promisify(execFile)
const redocly = createRequire(import.meta.url).resolve('@redocly/cli/bin/cli.js')

test('the OpenAPI description passes the recommended rules of @redocly/cli', async () => {
  const file = join(await emptyFolder(), 'openapi.json')
  await writeFile(file, JSON.stringify(await describeApi()))
  const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', CI: 'true' }
  const { stdout } = await run(process.execPath, [redocly, 'lint', '--format', 'json', file], { env })
  expect(JSON.parse(stdout)).toMatchObject({ totals: { errors: 0, warnings: 0, ignored: 0 }, problems: [] })
})

test("the dashboard's types are generated from the OpenAPI description", async () => {
  const types = await apiTypes()
  expect(await readFile(API_TYPES, 'utf8'), 'run `npm run api-types`').toBe(types)
  for (const name of ['Alert', 'ApiKey', 'AuditEntry', 'Delivery', 'Event', 'Quota', 'Tenant', 'Usage', 'Webhook'])
    expect(types).toContain(`export type ${name} = components['schemas']['${name}']\n`)
  // Nested documents are named too, and nothing has an unknown type.
  expect(types).toContain('quotas: components["schemas"]["QuotaUsage"][];')
  expect(types).not.toMatch(/: any[;[]/)
})
