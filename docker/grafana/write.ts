// `npm run dashboards`: writes the JSON that Grafana reads from the typed dashboards in this folder.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import service from './service.ts'
import tenants from './tenants.ts'

for (const [name, dashboard] of Object.entries({ service, tenants })) {
  const file = join(import.meta.dirname, 'dashboards', `${name}.json`)
  await writeFile(file, `${JSON.stringify(dashboard, null, 2)}\n`)
}
