import type { Command } from 'commander'
import { createProgram } from '../../cli/_program.ts'

const HELP_WIDTH = 100

/** Every command with its help, as commander prints it. */
export function cliPage(): string {
  const { out, err } = { out: process.stdout, err: process.stderr }
  const commands = leaves(createProgram({ env: {}, out, err, stop: new AbortController().signal }))
  const rows = commands.map(([name, command]) => {
    const [summary] = command.description().split(/(?<=\.) /)
    return `| [\`${name}\`](#flagmeter-${name.replaceAll(' ', '-')}) | ${summary} |`
  })
  return `# Command line

<!-- Written by \`npm run reference\` from the commands' own help. -->

In a checkout run \`npx flagmeter …\`; after \`npm i -g .\` run \`flagmeter …\`. Commands that print data take
\`--json\` and then print one JSON value. With \`--json\`, failures are one line of JSON on standard error,
\`{"error": {"message": …}}\`, with the members of the API's [problem](../problems.md) if there is one.

Exit codes: \`0\` done, \`1\` failed or refused, \`2\` wrong usage or settings,
\`3\` a server or database is not reachable.

Commands go over HTTP, to \`--url\`, \`FLAGMETER_URL\`, or the \`flagmeter up\` that runs in this folder. The key is
\`FLAGMETER_KEY\`; for a server on this machine it defaults to the first admin key, in \`FLAGMETER_DIR\` or
\`FLAGMETER_ADMIN_KEY\`. When there is no server or no key, \`--direct\` goes straight to \`DATABASE_URL\`, or to
the database of that \`up\`. Commands that always do, such as \`migrate\`, say why in their help.

[Settings](settings.md) explains each variable.

| command | what it does |
|---|---|
${rows.join('\n')}

${commands.map(([name, command]) => `## flagmeter ${name}\n\n\`\`\`\n${helpOf(command)}\n\`\`\``).join('\n\n')}
`
}

/** The commands that do something, by their full names. */
function leaves(parent: Command, prefix = ''): [name: string, command: Command][] {
  return parent.commands.flatMap((command) => {
    const name = prefix + command.name()
    return command.commands.length > 0 ? leaves(command, `${name} `) : [[name, command] as [string, Command]]
  })
}

/** The output of `--help`, with the examples that follow the options. */
function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => HELP_WIDTH })
  command.outputHelp()
  return help.trim()
}
