import { setTimeout as sleep } from 'node:timers/promises'
import { type Logger, pino } from 'pino'
import { type Changes, openChanges } from './live/changes.ts'
import type { Config } from './config.ts'
import { type Database, openDatabase } from './store/connection.ts'
import { type Feed, openFeed } from './live/feed.ts'
import { type Intake, openIntake } from './events/intake.ts'
import { type KeyCache, openKeyCache } from './auth/key_cache.ts'
import { type RateLimits, openRateLimits } from './auth/rate_limits.ts'
import { type Metrics, openMetrics } from './metrics/metrics.ts'
import { type QuotaCache, openQuotaCache } from './quota/quota_cache.ts'
import { type Reports, openReports } from './store/report_pool.ts'
import { type Reservations, openReservations } from './quota/reserve.ts'
import { type TenantCache, openTenantCache } from './tenants/tenant_cache.ts'
import { type UsageReader, openUsageReader } from './usage/tenant_usage.ts'
import { type Valkey, openValkey } from './store/valkey.ts'

/** How long events whose senders are gone may keep a stopping process: they were not promised anything. */
const IDLE_TIMEOUT_MS = 3_000

/** What every handler works with. Tests replace fields; nothing reaches for a global. */
export interface Context {
  config: Config
  log: Logger
  metrics: Metrics
  database: Database
  /** Absent without VALKEY_URL. */
  valkey?: Valkey
  tenants: TenantCache
  keys: KeyCache
  limits: RateLimits
  quotas: QuotaCache
  usages: UsageReader
  /** What may take long, apart from what must not. */
  reports: Reports
  reservations: Reservations
  intake: Intake
  /** What this process tells the dashboards of all. */
  changes: Changes
  /** What the browsers of this process hear. */
  feed: Feed
  /** Milliseconds since 1970. */
  clock: () => number
  /** Aborts when the process is told to stop: readiness turns 503, and answers close their connections. */
  stopping: AbortSignal
}

export interface OpenContext {
  ctx: Context
  /** Closes what was opened, last first. */
  release: () => Promise<void>
}

/** The composition root: opens everything a process needs. A store that is away is no error here: handlers cope. */
export async function openContext(config: Config, overrides: Partial<Context> = {}): Promise<OpenContext> {
  // In `detail` PostgreSQL shows the row that breaks a rule: the URL of a webhook, say.
  const log = overrides.log ?? pino({ level: config.logLevel, base: null, redact: ['err.detail'] })
  const metrics = overrides.metrics ?? openMetrics()
  const clock = overrides.clock ?? Date.now
  const stopping = overrides.stopping ?? new AbortController().signal
  const database = overrides.database ?? openDatabase(config)
  const valkey =
    overrides.valkey ??
    (config.valkeyUrl ? await openValkey({ ...config, valkeyUrl: config.valkeyUrl }, log) : undefined)
  metrics.valkeyUp.set(valkey?.status === 'ready' ? 1 : 0)
  valkey?.on('ready', () => metrics.valkeyUp.set(1))
  valkey?.on('close', () => metrics.valkeyUp.set(0))
  const tenants = overrides.tenants ?? openTenantCache(database)
  const keys = overrides.keys ?? openKeyCache(database, clock)
  const limits = overrides.limits ?? openRateLimits(config, valkey)
  const quotas = overrides.quotas ?? openQuotaCache(database, clock)
  const usages = overrides.usages ?? openUsageReader(database, clock)
  const reports = overrides.reports ?? openReports(config)
  const changes = overrides.changes ?? openChanges(database, clock)
  const reservations =
    overrides.reservations ?? openReservations({ database, metrics, changes, ...(valkey && { valkey }) })
  const feed = overrides.feed ?? openFeed({ config, database, clock, log, stopping })
  const base = {
    config,
    log,
    metrics,
    clock,
    stopping,
    database,
    tenants,
    keys,
    limits,
    quotas,
    usages,
    reports,
    reservations,
    changes,
    feed,
    ...(valkey && { valkey }),
  }
  const intake = overrides.intake ?? openIntake(base)
  return {
    ctx: { ...base, intake },
    async release() {
      const idle = Promise.all([intake.idle(), reservations.idle()])
      await feed.release()
      await Promise.race([idle.then(() => changes.flush()), sleep(IDLE_TIMEOUT_MS, undefined, { ref: false })])
      valkey?.disconnect()
      await Promise.all([database.end({ timeout: 5 }), reports.release()])
    },
  }
}
