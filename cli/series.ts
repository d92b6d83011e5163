import { Command, Option } from 'commander'
import type { Terminal } from './_command.ts'
import { ask } from './_http.ts'
import { momentAgo } from './_options.ts'
import { type View, costOf, minuteOf, printItems, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface Point {
  start: string
  totalTokens: number
  eventCount: number
  cost: string
  unpricedEvents: number
}

interface Series {
  points: Point[]
  /** Null: all others together. */
  features?: { feature: string | null; points: Point[] }[]
  values?: { value: string | null; points: Point[] }[]
}

interface Options extends ServerOptions {
  from?: string
  to?: string
  step: string
  feature?: string
  by?: string
  metric?: string
}

/** `flagmeter series <tenant>` */
export const seriesCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('series')
      .description(
        'Shows what a tenant used over time, by default in the last day. Steps without events are left out; ' +
          'days begin in the time zone of the tenant.',
      )
      .argument('<tenant>', 'name or id')
      .option('--from <time>', 'RFC 3339, a day, or like 7d for 7 days ago; default: a day before --to', momentAgo)
      .option('--to <time>', 'the end, the same way; default: now', momentAgo)
      .addOption(new Option('--step <step>', 'length of a step').choices(['minute', 'hour', 'day']).default('hour'))
      .option('--feature <feature>', 'only of this feature')
      .addOption(
        new Option(
          '--by <split>',
          'by feature, model, user or a dimension: the ten largest, and all others as one',
        ).conflicts('feature'),
      )
      .addOption(
        new Option('--metric <metric>', 'with --by: what makes a value one of the ten').choices([
          'tokens',
          'requests',
          'cost',
        ]),
      ),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter series acme-corp --from 7d --step day --by model')
    .action(async (tenant: string, { from, to, step, feature, by, metric, ...options }: Options) => {
      const given = Object.entries({ from, to, step, feature, by, metric })
      const params = new URLSearchParams(given.filter((entry): entry is [string, string] => entry[1] !== undefined))
      const path = `/api/usage/${encodeURIComponent(tenant)}/series?${params.toString()}`
      const series = await withServer(terminal, options, (server) => ask<Series>({ server, path }))
      const split = series.values ?? series.features?.map(({ feature: value, points }) => ({ value, points }))
      if (options.json) printJson(terminal, series)
      else if (split) printItems(terminal, options, byTime(split), splitPoints(by!))
      else printItems(terminal, options, series.points, POINTS)
    })

type SplitPoint = Point & { value: string | null }

/** The points of all values in order of time; within a step, the largest value first. */
const byTime = (values: { value: string | null; points: Point[] }[]): SplitPoint[] =>
  values
    .flatMap(({ value, points }) => points.map((point) => ({ ...point, value })))
    .toSorted((a, b) => Date.parse(a.start) - Date.parse(b.start))

const NONE = 'no events in this time'

const POINTS: View<Point> = {
  none: NONE,
  head: ['from (UTC)', 'tokens', 'events', 'cost ($)'],
  row: (point) => [minuteOf(point.start), point.totalTokens, point.eventCount, costOf(point)],
}

const splitPoints = (by: string): View<SplitPoint> => ({
  none: NONE,
  head: ['from (UTC)', by, 'tokens', 'events', 'cost ($)'],
  row: ({ value, ...point }) => [
    minuteOf(point.start),
    value ?? '(others)',
    point.totalTokens,
    point.eventCount,
    costOf(point),
  ],
})
