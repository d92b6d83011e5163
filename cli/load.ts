import { randomInt } from 'node:crypto'
import { Command, Option } from 'commander'
import { CommandError, Exit, type Terminal, printJson, serverUrl } from './_command.ts'
import { type LoadClient, openLoadClient } from './_load_client.ts'
import * as parse from './_load_options.ts'
import { type ReplayPlan, replayConnections, runReplay } from './_load_replay.ts'
import { type Limits, passedLimits, printReport, showProgress, summarize } from './_load_report.ts'
import { SYNTHETIC_CONNECTIONS, type SyntheticPlan, runSynthetic } from './_load_synthetic.ts'
import { Tally } from './_load_tally.ts'
import { scanTrace } from './_load_trace.ts'

interface LoadOptions extends Limits {
  rps: number
  duration: number
  tenants: string[]
  features: string[]
  tokens: { min: number; max: number }
  batch?: number
  seed?: number
  trace?: string
  tenant: string
  feature: string
  speed: number
  maxP99?: number
  url?: string
  json?: boolean
}

/** `flagmeter load` */
export const loadCommand = (terminal: Terminal): Command => {
  const command = new Command('load')
    .description('Puts load on a server: synthetic events at a fixed rate, or the replay of a trace of real calls.')
    .optionsGroup('Synthetic load:')
    .option('--rps <n>', 'requests per second, whatever the answers do (open loop)', parse.positive(1_000_000), 100)
    .addOption(
      new Option('--duration <time>', 'how long, like 30, 30s or 2m').argParser(parse.duration).default(10_000, '10s'),
    )
    .addOption(
      new Option('--tenants <names>', 'names with commas between them; or a number N: tenant-1 to tenant-N')
        .argParser(parse.tenants)
        .default(['acme-corp', 'globex-inc', 'initech-llc'], 'acme-corp,globex-inc,initech-llc'),
    )
    .addOption(
      new Option('--features <names>', 'names with commas between them')
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
    .option('--tenant <name>', 'whose events they are', parse.name, 'acme-corp')
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
      parse.seed,
    )
    .option('--max-p99 <ms>', 'exit 1 when the P99 latency is above', parse.positive(3_600_000))
    .option(
      '--max-errors <n>',
      'exit 1 when more events, or more than so many like 0.1%, are refused or dropped (default for a trace: 0)',
      parse.maxErrors,
    )
    .option('--url <url>', 'the server; default: FLAGMETER_URL, or the local `up`')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
  return command.action((options: LoadOptions) => load(terminal, command, options))
}

const HELP = `
Latency counts from the time a request was due, so waiting for a slow server is part of it. An event that waited 10 s
for one of 256 connections is dropped, and counts as an error. Ids derive from the seed, what is to be sent and the
number of the event: repeating a run with the seed it printed changes nothing on the server. A replay derives them from
the file, and may be repeated the same way; what is refused for the moment it sends again, up to ten times.

Examples:
  $ flagmeter load --rps 500 --duration 1m --max-p99 50 --max-errors 0.1%
  $ flagmeter load --rps 20 --batch 1000 --tenants 50 --seed 7
  $ flagmeter load --trace calls.csv --tenant acme-corp --feature gpt-4-turbo
  $ flagmeter load --trace calls.csv --speed 60`

/** A run that is ready to start. */
interface Run {
  title: string
  /** What `--json` says about it besides the figures. */
  about: Record<string, unknown>
  events: number
  connections: number
  start: (client: LoadClient, tally: Tally) => Promise<void>
}

async function load(terminal: Terminal, command: Command, options: LoadOptions): Promise<void> {
  const server = serverUrl(terminal, options.url)
  const run =
    options.trace === undefined
      ? planSynthetic(terminal, command, options)
      : await planReplay(terminal, options, options.trace)
  const client = openLoadClient(server, run.connections)
  try {
    await client.check()
    const tally = new Tally()
    const hideProgress = options.json ? () => {} : showProgress(terminal, tally, run.events)
    await run.start(client, tally).finally(hideProgress)
    tally.end()
    if (options.json) printJson(terminal, { url: server, ...run.about, ...summarize(tally) })
    else printReport(terminal, `${server}: ${run.title}`, tally)
    if (terminal.stop.aborted) throw new CommandError('interrupted', 130)
    const passed = passedLimits(tally, limitsOf(options))
    // A replay is meant to be complete, whoever wants less says so.
    const missing = tally.refused + tally.dropped
    if (options.trace !== undefined && !options.maxErrors && missing > 0) {
      passed.unshift(`events not accepted: ${missing.toLocaleString('en-US')}; the same command again is safe`)
    }
    if (passed.length > 0) throw new CommandError(passed.join('; '))
  } finally {
    await client.close()
  }
}

function planSynthetic({ stop }: Terminal, command: Command, options: LoadOptions): Run {
  for (const name of ['tenant', 'feature', 'speed'] as const) {
    if (command.getOptionValueSource(name) === 'default') continue
    throw new CommandError(
      `--${name} goes with --trace${name === 'speed' ? '' : `; without it, use --${name}s`}`,
      Exit.usage,
    )
  }
  const { rps, duration: durationMs, tenants, features, tokens, batch = 1, seed = randomInt(2 ** 47) } = options
  const plan: SyntheticPlan = { rps, durationMs, tenants, features, batch, tokens, seed }
  return {
    title: `${rps} requests/s for ${durationMs / 1000} s, ${batch === 1 ? '1 event' : `${batch} events`} each, seed ${seed}`,
    about: { mode: 'synthetic', seed, rps, durationSeconds: durationMs / 1000, batch },
    events: Math.max(1, Math.round((rps * durationMs) / 1000)) * batch,
    connections: SYNTHETIC_CONNECTIONS,
    start: (client, tally) => runSynthetic(client, plan, tally, stop),
  }
}

async function planReplay({ err, stop }: Terminal, options: LoadOptions, file: string): Promise<Run> {
  const { tenant, feature, speed, seed = 1, batch = speed === Infinity ? 1000 : 1 } = options
  const trace = await scanTrace(file, stop)
  if (!trace.sorted && speed !== Infinity)
    err.write(`note: ${file} is not in the order of time; a call behind a later one goes out right after it\n`)
  const plan: ReplayPlan = { trace, tenant, feature, speed, batch, seed }
  const { calls, empty } = trace
  const pace = speed === Infinity ? 'maximum speed' : `speed ${speed}`
  const [firstCall, lastCall] = [new Date(trace.firstAt).toISOString(), new Date(trace.lastAt).toISOString()]
  return {
    title: `${file}, ${calls.toLocaleString('en-US')} calls${empty > 0 ? ` (${empty} without tokens left out)` : ''}, ${pace}, seed ${seed}`,
    about: {
      mode: 'trace',
      seed,
      batch,
      speed: speed === Infinity ? 'max' : speed,
      trace: { file, calls, tokens: trace.tokens, empty, firstCall, lastCall, sha256: trace.sha256 },
    },
    events: calls - empty,
    connections: replayConnections(speed),
    start: (client, tally) => runReplay(client, plan, tally, stop),
  }
}

function limitsOf({ maxP99, maxErrors }: LoadOptions): Limits {
  return { ...(maxP99 !== undefined && { maxP99Ms: maxP99 }), ...(maxErrors && { maxErrors }) }
}
