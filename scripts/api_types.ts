import { writeFile } from 'node:fs/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import openapiTypes from 'openapi-typescript'
import { loadHandlers } from '../cli/_handlers.ts'
import { endpointsOf } from '../cli/_serving.ts'
import { describeApi } from '../lib/site/openapi.ts'

/** The file with the dashboard's API types. */
export const API_TYPES = fileURLToPath(new URL('../dashboard/api_types.ts', import.meta.url))

/** The description of the API, as `GET /api/openapi.json` returns it. */
export const describe = async () =>
  describeApi(endpointsOf(await loadHandlers([])).map(({ handler }) => handler)) as { components: { schemas: object } }

/** The types of the documents that the API takes and returns, by name. */
export async function apiTypes(): Promise<string> {
  const { schemas } = (await describe()).components
  const document = { openapi: '3.1.1', info: { title: '', version: '' }, paths: {}, components: { schemas } }
  const written = await openapiTypes(document as Parameters<typeof openapiTypes>[0])
  const start = written.indexOf('export interface components')
  const end = written.indexOf('\n}\n', start) + 3
  const header = '// Generated from the description of the API by `npm run api-types`; not to be edited.\n\n'
  const names = Object.keys(schemas).map((name) => `export type ${name} = components['schemas']['${name}']\n`)
  return `${header}${written.slice(start, end)}\n${names.join('')}`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await writeFile(API_TYPES, await apiTypes())
