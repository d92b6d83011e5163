import { Command, Option } from 'commander'
import type { Terminal } from './_command.ts'
import { ask } from './_http.ts'
import { momentAgo } from './_options.ts'
import { type View, minuteOf, printItems, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

interface Point {
  start: string
  totalTokens: number
  eventCount: number
}

interface Series {
  points: Point[]
  /** Null: all other features together. */
  features?: { feature: string | null; points: Point[] }[]
}

interface Options extends ServerOptions {
  from?: string
  to?: string
  step: string
  feature?: string
  byFeature?: boolean
}

/** `flagmeter series <tenant>` */
export const seriesCommand = (terminal: Terminal): Command =>
  overHttp(
    new Command('series')
      .description(
        'Shows the tokens of a tenant over time, by default for the last day. Steps without events are left out; ' +
          'days begin in the time zone of the tenant.',
      )
      .argument('<tenant>', 'name or id')
      .option('--from <time>', 'RFC 3339, a day, or like 7d for 7 days ago; default: a day before --to', momentAgo)
      .option('--to <time>', 'the end, the same way; default: now', momentAgo)
      .addOption(new Option('--step <step>', 'length of a step').choices(['minute', 'hour', 'day']).default('hour'))
      .option('--feature <feature>', 'only of this feature')
      .addOption(new Option('--by-feature', 'by feature: the ten largest, and all others as one').conflicts('feature')),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter series acme-corp --from 7d --step day')
    .action(async (tenant: string, { from, to, step, feature, byFeature, ...options }: Options) => {
      const given = Object.entries({ from, to, step, feature, by: byFeature ? 'feature' : undefined })
      const params = new URLSearchParams(given.filter((entry): entry is [string, string] => entry[1] !== undefined))
      const path = `/api/usage/${encodeURIComponent(tenant)}/series?${params.toString()}`
      const series = await withServer(terminal, options, (server) => ask<Series>({ server, path }))
      if (options.json) printJson(terminal, series)
      else if (series.features) printItems(terminal, options, byTime(series.features), FEATURE_POINTS)
      else printItems(terminal, options, series.points, POINTS)
    })

type FeaturePoint = Point & { feature: string | null }

/** The points of all features in order of time; within a step, the largest feature first. */
const byTime = (features: NonNullable<Series['features']>): FeaturePoint[] =>
  features
    .flatMap(({ feature, points }) => points.map((point) => ({ ...point, feature })))
    .toSorted((a, b) => Date.parse(a.start) - Date.parse(b.start))

const NONE = 'no events in this time'

const POINTS: View<Point> = {
  none: NONE,
  head: ['from (UTC)', 'tokens', 'events'],
  row: ({ start, totalTokens, eventCount }) => [minuteOf(start), totalTokens, eventCount],
}

const FEATURE_POINTS: View<FeaturePoint> = {
  none: NONE,
  head: ['from (UTC)', 'feature', 'tokens', 'events'],
  row: ({ start, feature, totalTokens, eventCount }) => [
    minuteOf(start),
    feature ?? '(others)',
    totalTokens,
    eventCount,
  ],
}
