// `npm run reference`: writes the pages of this folder. A test checks that they are up to date.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { referencePages } from './_pages.ts'

for (const [name, page] of Object.entries(await referencePages()))
  await writeFile(join(import.meta.dirname, name), page)
