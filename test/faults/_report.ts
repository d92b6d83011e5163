import Table from 'cli-table3'
import type { Mutant } from './_mutants.ts'
import { type Outcome, isRed } from './_run.ts'

/** An experiment and its results. */
export interface Result {
  name: string
  unit: string
  outcome: Outcome
  /** What this machine lacks to run it; it was not run. */
  skipped?: string
  /** Mutants that turned it red, with what gave them away. */
  caught: string[]
  /** Mutants that did not. */
  missed: string[]
}

export const isFine = ({ outcome, missed }: Result): boolean =>
  !isRed(outcome) && outcome.failure === undefined && missed.length === 0

/** Everything that makes an outcome red. */
export function signs({ lost, doubled, tokens, unsent, wrong }: Outcome): string {
  const figures = Object.entries({ L: lost, D: doubled, T: tokens, U: unsent }).filter(([, count]) => count !== 0)
  return [...figures.map(([name, count]) => `${name} ${count}`), ...wrong].join(', ')
}

/** What gave a mutant away. */
export function sign({ shows }: Mutant, { lost, doubled, unsent, wrong }: Outcome): string {
  if (shows === 'lost') return `L ${lost}`
  if (shows === 'unsent') return `U ${unsent}`
  if (shows === 'doubled') return `D ${doubled}`
  return wrong.find((line) => shows.test(line)) ?? ''
}

/** One line per experiment; rounds of the same one are added up. */
export function printTable(results: Result[]): void {
  const rows = new Map<string, Result>()
  for (const result of results) {
    const before = rows.get(result.name)
    rows.set(result.name, before ? add(before, result) : result)
  }
  const head = [
    'experiment',
    'faults',
    'events',
    'L',
    'D',
    'T',
    'U',
    'retried',
    'seconds',
    'mutant caught',
    'as it must be',
  ]
  const table = new Table({
    head,
    colWidths: Array.from({ length: 9 }),
    wordWrap: true,
    style: { head: [], border: [] },
  })
  for (const result of rows.values()) {
    const { faults, events, lost, doubled, tokens, unsent, retried, seconds } = result.outcome
    const mutants = [...result.caught, ...result.missed.map((name) => `NOT CAUGHT: ${name}`)].join('\n')
    const counts = [`${faults} ${result.unit}`, events, lost, doubled, tokens, unsent, retried, Math.round(seconds)]
    table.push([result.name, ...counts, mutants, verdict(result)])
  }
  console.log(table.toString())
  console.log(
    'L accepted events lost, D events counted without being there, T tokens that differ, U events nobody sent',
  )
  for (const { name, outcome, skipped } of rows.values()) {
    const { wrong, failure, notes } = outcome
    const lines = [
      ...new Set([
        ...(skipped === undefined ? [] : [`skipped, ${skipped}`]),
        ...wrong,
        ...(failure === undefined ? [] : [failure]),
        ...notes,
      ]),
    ]
    if (lines.length > 0) console.log(`${name}: ${lines.join('; ')}`)
  }
}

function verdict(result: Result): string {
  if (result.skipped !== undefined) return 'skipped'
  return isFine(result) ? 'yes' : 'NO'
}

function add(a: Result, b: Result): Result {
  const failure = a.outcome.failure ?? b.outcome.failure
  return {
    ...a,
    missed: [...a.missed, ...b.missed],
    caught: [...a.caught, ...b.caught],
    outcome: {
      faults: a.outcome.faults + b.outcome.faults,
      events: a.outcome.events + b.outcome.events,
      lost: a.outcome.lost + b.outcome.lost,
      doubled: Math.abs(a.outcome.doubled) + Math.abs(b.outcome.doubled),
      tokens: a.outcome.tokens + b.outcome.tokens,
      unsent: a.outcome.unsent + b.outcome.unsent,
      retried: a.outcome.retried + b.outcome.retried,
      seconds: a.outcome.seconds + b.outcome.seconds,
      wrong: [...a.outcome.wrong, ...b.outcome.wrong],
      notes: b.outcome.notes,
      ...(failure !== undefined && { failure }),
    },
  }
}
