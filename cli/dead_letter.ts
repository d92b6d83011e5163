import { Command } from 'commander'
import { query } from '../lib/store/database.ts'
import { Event } from '../lib/events/event.ts'
import { openChanges } from '../lib/live/changes.ts'
import { openMetrics } from '../lib/metrics/metrics.ts'
import { type RecordNeeds, recordEvents } from '../lib/events/record.ts'
import { loadSql } from '../lib/store/sql.ts'
import { CommandError, type Terminal } from './_command.ts'
import { withDatabase } from './_database.ts'
import { idOf } from './_options.ts'
import { type View, printItems, printJson } from './_print.ts'

const MOST = 10_000

const WHY_DIRECT = `
Straight to the database: the API has no dead letters.
`

interface DeadLetter {
  id: string
  payload: string
  sqlstate: string | null
  reason: string
  failed_at: Date
}

/** `flagmeter dead-letter list|replay` */
export function deadLetterCommand(terminal: Terminal): Command {
  const list = new Command('list')
    .description('Lists the events that could not be recorded, and why; the oldest 10,000 at most.')
    .option('--json', 'print JSON')
    .addHelpText('after', `${WHY_DIRECT}\nExample:\n  $ flagmeter dead-letter list`)
    .action(async ({ json }: { json?: boolean }) => {
      const letters = await withDatabase(terminal, (database) =>
        query<DeadLetter>(database, loadSql('queries/dead_letter_list'), [null, MOST]),
      )
      printItems(terminal, { json }, letters, DEAD_LETTERS)
    })
  const replay = new Command('replay')
    .description('Records dead letters again, once their cause is fixed. Recorded events leave the list.')
    .argument('[id]', 'one of them; default: all', idOf('a dead letter', 'flagmeter dead-letter list'))
    .option('--json', 'print JSON')
    .addHelpText('after', `${WHY_DIRECT}\nExample:\n  $ flagmeter dead-letter replay`)
    .action(async (id: string | undefined, { json }: { json?: boolean }) => {
      const result = await withDatabase(terminal, async (database) => {
        const changes = openChanges(database, Date.now)
        const replayed = await replayLetters({ database, metrics: openMetrics(), changes }, id ?? null)
        await changes.flush()
        return replayed
      })
      if (id !== undefined && result.recorded + result.failed === 0)
        throw new CommandError(`there is no dead letter ${id}`)
      if (json) printJson(terminal, result)
      else terminal.out.write(`${result.recorded} recorded, ${result.failed} still failing\n`)
      if (result.failed > 0)
        throw new CommandError(`${result.failed} still can't be recorded: see \`flagmeter dead-letter list\``)
    })
  return new Command('dead-letter')
    .description('Shows and replays events that could not be recorded.')
    .addHelpText('after', '\nExample:\n  $ flagmeter dead-letter list')
    .addCommand(list)
    .addCommand(replay)
}

const DEAD_LETTERS: View<DeadLetter> = {
  none: 'no dead letters',
  head: ['id', 'failed', 'reason', 'payload'],
  row: (letter) => [letter.id, letter.failed_at.toISOString(), letter.reason.slice(0, 60), letter.payload.slice(0, 80)],
}

/** Recorded first, deleted second: after a crash in between, the event still counts only once. */
export async function replayLetters(
  recorder: RecordNeeds,
  id: string | null,
): Promise<{ recorded: number; failed: number }> {
  const letters = await query<DeadLetter>(recorder.database, loadSql('queries/dead_letter_list'), [id, MOST])
  const events = letters.flatMap((letter) => {
    const event = Event.safeParse(parse(letter.payload))
    return event.success ? [{ letterId: letter.id, event: event.data }] : []
  })
  const { poison } = await recordEvents(
    recorder,
    events.map(({ event }) => event),
    { isLastTry: true },
  )
  const bad = new Set(poison.map(({ event }) => event))
  const done = events.filter(({ event }) => !bad.has(event)).map(({ letterId }) => letterId)
  await query(recorder.database, loadSql('queries/dead_letter_delete'), [done])
  return { recorded: done.length, failed: letters.length - done.length }
}

function parse(payload: string): unknown {
  try {
    return JSON.parse(payload)
  } catch {
    return undefined
  }
}
