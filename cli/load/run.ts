import { randomInt } from 'node:crypto'
import type { Command } from 'commander'
import { CommandError, Exit, type Terminal } from '../_command.ts'
import { printJson } from '../_print.ts'
import { serverOf } from '../_server.ts'
import { type LoadClient, openLoadClient } from './client.ts'
import { type ReplayPlan, replayConnections, runReplay } from './replay.ts'
import { type Limits, passedLimits, printReport, showProgress, summarize } from './report.ts'
import { SYNTHETIC_CONNECTIONS, type SyntheticPlan, runSynthetic } from './synthetic.ts'
import { Tally } from './tally.ts'
import { scanTrace } from './trace.ts'

/** The options of `flagmeter load`, parsed. */
export interface LoadOptions extends Limits {
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

/** A run that is ready to start. */
interface Run {
  title: string
  /** What `--json` prints besides the figures. */
  about: Record<string, unknown>
  events: number
  connections: number
  start: (client: LoadClient, tally: Tally) => Promise<void>
}

/** Runs `flagmeter load`. @throws CommandError if a limit is exceeded, nothing answers, or it was interrupted */
export async function load(terminal: Terminal, command: Command, options: LoadOptions): Promise<void> {
  const server = serverOf(terminal, options.url)
  const run =
    options.trace === undefined
      ? planSynthetic(terminal, command, options)
      : await planReplay(terminal, options, options.trace)
  const client = openLoadClient(server, run.connections)
  try {
    await client.expectServer()
    const tally = new Tally()
    const hideProgress = options.json ? () => {} : showProgress(terminal, tally, run.events)
    await run.start(client, tally).finally(hideProgress)
    tally.end()
    if (options.json) printJson(terminal, { url: server.url, ...run.about, ...summarize(tally) })
    else printReport(terminal, `${server.url}: ${run.title}`, tally)
    if (terminal.stop.aborted) throw new CommandError('interrupted', 130)
    const passed = passedLimits(tally, limitsOf(options))
    // A replay should be complete, unless an option says otherwise.
    const missing = tally.refused + tally.dropped
    if (options.trace !== undefined && !options.maxErrors && missing > 0) {
      passed.unshift(`events not accepted: ${missing.toLocaleString('en-US')}; the same command again is safe`)
    }
    const refusals = [...tally.refusals].map(([refused, { detail }]) => [refused, detail].filter(Boolean).join(', '))
    if (tally.accepted === 0 && missing > 0) passed.unshift(`no event was accepted (${refusals[0] ?? 'none went out'})`)
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
    title:
      `${rps} requests/s for ${durationMs / 1000} s, ` +
      `${batch === 1 ? '1 event' : `${batch} events`} each, seed ${seed}`,
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
    err.write(`flagmeter: ${file} is not in the order of time; a call behind a later one goes out right after it\n`)
  const plan: ReplayPlan = { trace, tenant, feature, speed, batch, seed }
  const { calls, empty } = trace
  const pace = speed === Infinity ? 'maximum speed' : `speed ${speed}`
  const [firstCall, lastCall] = [new Date(trace.firstAt).toISOString(), new Date(trace.lastAt).toISOString()]
  return {
    title:
      `${file}, ${calls.toLocaleString('en-US')} calls` +
      `${empty > 0 ? ` (${empty} without tokens left out)` : ''}, ${pace}, seed ${seed}`,
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
