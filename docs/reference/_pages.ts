import { apiPage } from './_api.ts'
import { cliPage } from './_cli.ts'
import { settingsPage } from './_settings.ts'

/** The pages of this folder by name, as they should be. */
export async function referencePages(): Promise<Record<string, string>> {
  return { 'api.md': await apiPage(), 'cli.md': cliPage(), 'settings.md': settingsPage() }
}
