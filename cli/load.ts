import { Command, Option } from 'commander'
import type { Terminal } from './_command.ts'
import { duration } from './_options.ts'
import { URL_OPTION } from './_server.ts'
import * as parse from './load/options.ts'
import type { LoadOptions } from './load/run.ts'

/** `flagmeter load` */
export const loadCommand = (terminal: Terminal): Command => {
  const command = new Command('load')
    .description('Puts load on a server: synthetic events at a fixed rate, or the replay of a trace of real calls.')
    .optionsGroup('Synthetic load:')
    .option(
      '--rps <n>',
      'requests per second, however fast the answers come (open loop)',
      parse.positive(1_000_000),
      100,
    )
    .addOption(
      new Option('--duration <time>', 'how long, like 30, 30s or 2m').argParser(duration).default(10_000, '10s'),
    )
    .addOption(
      new Option('--tenants <names>', 'comma-separated names, or a number N for tenant-1 to tenant-N')
        .argParser(parse.tenants)
        .default(['acme-corp', 'globex-inc', 'initech-llc'], 'acme-corp,globex-inc,initech-llc'),
    )
    .addOption(
      new Option('--features <names>', 'comma-separated names')
        .argParser(parse.names)
        .default(['gpt-4-turbo', 'gpt-4o', 'claude-sonnet'], 'gpt-4-turbo,gpt-4o,claude-sonnet'),
    )
    .addOption(
      new Option('--tokens <range>', 'tokens per event')
        .argParser(parse.tokens)
        .default({ min: 100, max: 2000 }, '100-2000'),
    )
    .optionsGroup('Replay:')
    .addOption(
      new Option(
        '--trace <file>',
        'CSV with the columns TIMESTAMP (UTC), ContextTokens, GeneratedTokens; the last call becomes now',
      ).conflicts(['rps', 'duration', 'tenants', 'features', 'tokens']),
    )
    .option('--tenant <name>', 'the tenant of the events', parse.name, 'acme-corp')
    .option('--feature <name>', 'what was used', parse.name, 'gpt-4-turbo')
    .addOption(
      new Option('--speed <factor>', "'max', or how many times faster than recorded: 60 is an hour in a minute")
        .argParser(parse.speed)
        .default(Infinity, 'max'),
    )
    .optionsGroup('Both:')
    .option(
      '--batch <n>',
      'events per request, at most 10,000 (default: 1; for a trace at maximum speed 1,000)',
      parse.batch,
    )
    .option(
      '--seed <n>',
      'the same seed and options send the same events with the same ids (default: random; for a trace 1)',
      parse.seedNumber,
    )
    .option('--max-p99 <ms>', 'exit 1 if the P99 latency is higher', parse.positive(3_600_000))
    .option(
      '--max-errors <n>',
      'exit 1 if more events, or a larger share like 0.1%, are refused or dropped (default for a trace: 0)',
      parse.maxErrors,
    )
    .option(...URL_OPTION)
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
  return command.action(async (options: LoadOptions) => {
    // Imported on demand, to keep the client out of the servers' memory.
    const { load } = await import('./load/run.ts')
    await load(terminal, command, options)
  })
}

const HELP = `
Latency counts from the time a request was due, so waiting for a slow server is part of it. An event that waits 10 s
for one of 256 connections is dropped, and counts as an error. Ids derive from the seed, the options and the number of
the event: repeating a run with the seed it printed changes nothing on the server. A replay derives them from the file
and can be repeated the same way; it retries temporary refusals up to ten times. A run exits 1 if no event is accepted.

Examples:
  $ flagmeter load --rps 500 --duration 1m --max-p99 50 --max-errors 0.1%
  $ flagmeter load --rps 20 --batch 1000 --tenants 50 --seed 7
  $ flagmeter load --trace calls.csv --tenant acme-corp --feature gpt-4-turbo
  $ flagmeter load --trace calls.csv --speed 60`
