import { Settings } from '../lib/config.ts'

/** The rows of README's table, from the schema that parses the settings. */
export const settingsTable = (): string =>
  Object.entries(Settings.shape)
    .map(([name, schema]) => {
      const fallback = schema.safeParse(undefined).data
      return `| \`${name}\` | ${fallback === undefined ? '' : `\`${String(fallback)}\``} | ${schema.description ?? ''} |`
    })
    .join('\n')
