import { SETTINGS } from '../../lib/config.ts'

/** Every setting with its default, from the schema that parses it. */
export function settingsPage(): string {
  const rows = SETTINGS.map(
    ({ variable, fallback, description }) =>
      `| \`${variable}\` | ${fallback === undefined ? '' : `\`${String(fallback)}\``} | ${description} |`,
  )
  return `# Settings

<!-- Written by \`npm run reference\` from lib/config.ts. -->

Settings come from the environment. FlagMeter checks them all before anything starts and reports every mistake at once.
An empty variable counts as unset. \`flagmeter config check\` checks the settings and the stores they name.

| setting | default | meaning |
|---|---|---|
${rows.join('\n')}
`
}
