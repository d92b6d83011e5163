import { Command } from 'commander'
import type { Forgotten } from '../lib/admin/users.ts'
import { CommandError, type Terminal } from './_command.ts'
import { ask } from './_http.ts'
import { printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

/** `flagmeter user forget` */
export function userCommand(terminal: Terminal): Command {
  const forget = overHttp(
    new Command('forget')
      .description(
        "Takes a user's name out of everything that is stored. What the user has used stays counted, as the user " +
          '(forgotten). Stop reporting the user first; if it is stopped, run it again.',
      )
      .argument('<tenant>', 'name or id')
      .argument('<user>', 'as events name it'),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter user forget acme-corp u-17')
    .action(async (tenant: string, user: string, options: ServerOptions) => {
      const total = { examined: 0, forgotten: 0 }
      const path = `/api/tenants/${encodeURIComponent(tenant)}/users/${encodeURIComponent(user)}`
      await withServer(terminal, options, async (server) => {
        for (let after: string | undefined; ;) {
          const search = after === undefined ? '' : `?after=${after}`
          const step = await ask<Forgotten>({ server, path: path + search, method: 'DELETE' })
          total.examined += step.examined
          total.forgotten += step.forgotten
          after = step.next
          if (after === undefined) return
          if (terminal.stop.aborted) throw new CommandError(`stopped after ${inWords(total)}; run it again`, 130)
          if (!options.json) terminal.err.write(`${inWords(total)}\n`)
        }
      })
      if (options.json) printJson(terminal, total)
      else terminal.out.write(`${inWords(total)}\n`)
    })
  return new Command('user')
    .description('Forgets users of tenants.')
    .addHelpText('after', '\nExample:\n  $ flagmeter user forget acme-corp u-17')
    .addCommand(forget)
}

const inWords = ({ examined, forgotten }: Forgotten): string =>
  `${examined.toLocaleString('en-US')} events looked at, ${forgotten.toLocaleString('en-US')} of the user`
