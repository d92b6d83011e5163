import { z } from 'zod'
import { isKey, keyMistake } from './auth/key.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** A setting is wrong; the message holds one line per mistake. */
export class ConfigError extends Error {}

const SCHEMA_ERROR =
  'must be a plain name: up to 63 lower-case letters, digits and underscores, not beginning with a digit or pg_'
const PORT_ERROR = 'must be a whole number between 0 and 65535'
const url = (protocols: RegExp, example: string) =>
  z.url({ protocol: protocols, error: `must be a URL like ${example}` }).optional()
const wholeNumber = (min: number, max: number, fallback: number) => {
  const error = `must be a whole number between ${min} and ${max}`
  return z
    .string()
    .regex(/^\d+$/, error)
    .transform(Number)
    .pipe(z.number().min(min, error).max(max, error))
    .default(fallback)
}
const seconds = (fallback: string) =>
  z
    .string()
    .regex(/^\d{1,7}(,\d{1,7})*$/, 'must be whole numbers of seconds, separated by commas, like 1,2,4')
    .transform((list) => list.split(',').map(Number))
    .prefault(fallback)
const key = (help: string) =>
  z
    .string()
    .refine(isKey, { error: ({ input }) => `is not a key: ${keyMistake(String(input))}; ${help}` })
    .optional()
const flag = z
  .enum(['true', 'false'], { error: 'must be true or false' })
  .default('false')
  .transform((text) => text === 'true')

/** Every setting, its default and its range; docs/reference/settings.md is written from it. */
export const Settings = z.object({
  DATABASE_URL: url(/^postgres(ql)?$/, 'postgres://user:password@host:5432/flagmeter').describe(
    'PostgreSQL 15 or newer; if unset, the database that `flagmeter up` runs',
  ),
  DATABASE_POOL_SIZE: wholeNumber(1, 1000, 10).describe(
    'most connections to PostgreSQL per process; three more serve reports, and one more listens while ' +
      'somebody watches the dashboard',
  ),
  DATABASE_SCHEMA: z
    .string()
    .regex(/^(?!pg_|information_schema$)[a-z_][a-z0-9_]{0,62}$/, SCHEMA_ERROR)
    .optional()
    .describe(
      'PostgreSQL schema that holds everything; default: `flagmeter`, or `public` where an earlier release has put it',
    ),
  VALKEY_URL: url(/^(redis|valkey)s?$/, 'redis://host:6379').describe(
    'Valkey or Redis 6.2 or newer; if unset, events go straight to PostgreSQL',
  ),
  VALKEY_TIMEOUT_MS: wholeNumber(10, 60_000, 1000).describe(
    'how long to wait for an answer from Valkey; after that, the outcome is unknown',
  ),
  PORT: wholeNumber(0, 65_535, 3000).describe('port of the HTTP handlers; `API_PORT` works too'),
  HOST: z.string().min(1).default('127.0.0.1').describe('address the HTTP handlers bind to; `0.0.0.0` for all'),
  METRICS_PORT: z
    .string()
    .regex(/^\d{1,5}$/, PORT_ERROR)
    .transform(Number)
    .pipe(z.number().max(65_535, PORT_ERROR))
    .optional()
    .describe(
      'port where `serve`, `worker` and `up` answer `/metrics` and `/live` without a key; keep it ' +
        'private; if unset, there is none',
    ),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'must be one of trace, debug, info, warn, error, fatal, silent',
    })
    .default('info')
    .describe(
      'least severe level to log; requests that succeed, or are refused without a valid key, are logged at `debug`',
    ),
  QUEUE_NAME: z.string().min(1).max(200).default('events').describe('key of the Valkey stream'),
  WORKER_CONCURRENCY: wholeNumber(1, 64, 4).describe('batches a worker records concurrently'),
  CLAIM_IDLE_MS: wholeNumber(100, 3_600_000, 15_000).describe(
    'how long a consumer may be silent before others take over its entries; must be longer than a ' +
      'statement may take (3.5 s)',
  ),
  AUTO_CREATE_TENANTS: flag.describe(
    'an event for an unknown tenant creates the tenant: up to 100 in ten minutes per key',
  ),
  SEED_EXAMPLES: flag.describe(
    '`migrate` creates three example tenants in a database that nobody has used yet; `up` always does',
  ),
  EVENT_MAX_AGE_DAYS: wholeNumber(1, 3650, 35).describe('how old the timestamp of an event may be'),
  EVENT_MAX_AHEAD_SECONDS: wholeNumber(0, 86_400, 300).describe('how far ahead the timestamp of an event may be'),
  EVENT_RETENTION_DAYS: wholeNumber(1, 36_500, 42).describe(
    'how long raw events are kept; at least 7 days more than `EVENT_MAX_AGE_DAYS`',
  ),
  ROLLUP_RETENTION_DAYS: wholeNumber(62, 36_500, 400).describe(
    'how long tokens per minute (for series) and the counters of additional quotas are kept; at least as ' +
      'long as raw events; counters per billing period are kept for good',
  ),
  ALERT_RETENTION_DAYS: wholeNumber(62, 36_500, 400).describe(
    'how long alerts are kept after their period and deliveries after their end; pending deliveries stay',
  ),
  AUDIT_RETENTION_DAYS: wholeNumber(1, 36_500, 730).describe('how long the audit log is kept'),
  DEAD_LETTER_RETENTION_DAYS: wholeNumber(1, 36_500, 400).describe(
    'how long dead letters are kept: accepted events that are not counted until somebody replays them',
  ),
  WEBHOOK_ALLOW_PRIVATE: flag.describe('allow webhooks with http URLs and private addresses; for local use'),
  DELIVERY_RETRY_SECONDS: seconds('1,2,4,30,120,600,1800,3600,7200,14400,28800,43200,64800,100800').describe(
    'pauses between the tries of a webhook delivery; each is lengthened at random by up to a tenth',
  ),
  LIMIT_REQUESTS: wholeNumber(0, 1_000_000, 2_000).describe(
    'requests per second per key and per tenant; ten seconds’ worth may come at once; 0: no limit',
  ),
  LIMIT_EVENTS: wholeNumber(0, 100_000_000, 50_000)
    .refine((rate) => rate === 0 || rate >= 1_000, 'must be 0, or at least 1000: a batch must fit into ten seconds')
    .describe('events per second per key and per tenant; ten seconds’ worth may come at once; 0: no limit'),
  MAX_CONNECTIONS: wholeNumber(1, 1_000_000, 10_000).describe(
    'most connections to a server at once; further ones are closed',
  ),
  BODY_MEMORY_MB: wholeNumber(32, 65_536, 32).describe(
    'MiB of request bodies and unread answers that a server holds at once; a tenant, or an unbound key, ' +
      'gets at most a third; a quarter is reserved for requests below 64 KiB',
  ),
  TRUSTED_PROXIES: wholeNumber(0, 10, 0).describe(
    'number of proxies in front; the client’s address is then taken from their `X-Forwarded-For`',
  ),
  CORS_ORIGINS: z
    .string()
    .regex(
      /^https?:\/\/[^\s,/]+(,https?:\/\/[^\s,/]+)*$/,
      'must be origins like https://app.example.com, separated by commas',
    )
    .transform((list) => list.split(','))
    .optional()
    .describe('origins whose pages may call the API from a browser; if unset, none'),
  FLAGMETER_ADMIN_KEY: key('flagmeter key generate prints one').describe(
    'the first admin key, as printed by `flagmeter key generate`; if unset, one is created and written to ' +
      '`FLAGMETER_DIR`',
  ),
  REQUEST_TIMEOUT_MS: wholeNumber(100, 600_000, 10_000).describe(
    'how long a client may take to send a request, and to read a large answer',
  ),
  DRAIN_DELAY_MS: wholeNumber(0, 60_000, 5_000).describe(
    'after SIGTERM, how long `serve` still accepts requests while `/api/health` answers 503, so that a ' +
      'load balancer stops sending them',
  ),
  DRAIN_TIMEOUT_MS: wholeNumber(100, 600_000, 10_000).describe(
    'how long a stopping process waits for work in progress',
  ),
  FLAGMETER_DIR: z
    .string()
    .min(1)
    .default('.flagmeter')
    .describe('folder for the embedded database and the first admin key'),
  FLAGMETER_KEY: key('`flagmeter key create` makes one').describe(
    'key for commands; for a server on this machine, defaults to the one in `FLAGMETER_DIR`, or `FLAGMETER_ADMIN_KEY`',
  ),
  FLAGMETER_URL: url(/^https?$/, 'http://127.0.0.1:3000').describe(
    'server that commands use; default: the local `flagmeter up`',
  ),
})

/** The parsed settings, in the units their names say. */
export interface Config {
  databaseUrl?: string
  databasePoolSize: number
  /** Absent: nobody has chosen one. */
  databaseSchema?: string
  valkeyUrl?: string
  valkeyTimeoutMs: number
  port: number
  host: string
  metricsPort?: number
  logLevel: string
  queueName: string
  workerConcurrency: number
  claimIdleMs: number
  autoCreateTenants: boolean
  seedExamples: boolean
  eventMaxAgeMs: number
  eventMaxAheadMs: number
  eventRetentionMs: number
  rollupRetentionMs: number
  alertRetentionMs: number
  auditRetentionMs: number
  deadLetterRetentionMs: number
  webhookAllowPrivate: boolean
  /** One per retry; after the last, a delivery is dead. */
  deliveryRetrySeconds: number[]
  /** Per second; 0: none. */
  limitRequests: number
  /** Per second; 0: none. */
  limitEvents: number
  maxConnections: number
  bodyMemoryBytes: number
  trustedProxies: number
  corsOrigins: string[]
  adminKey?: string
  requestTimeoutMs: number
  drainDelayMs: number
  drainTimeoutMs: number
  dir: string
  key?: string
  url?: string
}

/**
 * Parses the environment. An empty variable counts as unset (compose passes those).
 * @throws ConfigError that names every mistake, never a value: a URL holds a password.
 */
export function parseConfig(env: Record<string, string | undefined>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
  const parsed = Settings.safeParse({ ...given, PORT: given.PORT ?? given.API_PORT })
  const mistakes = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
  if (parsed.success && parsed.data.EVENT_RETENTION_DAYS < parsed.data.EVENT_MAX_AGE_DAYS + 7) {
    mistakes.push(
      'EVENT_RETENTION_DAYS must be at least EVENT_MAX_AGE_DAYS + 7, or a late copy of an event counts twice',
    )
  }
  if (parsed.success && parsed.data.ROLLUP_RETENTION_DAYS < parsed.data.EVENT_RETENTION_DAYS) {
    mistakes.push('ROLLUP_RETENTION_DAYS must be at least EVENT_RETENTION_DAYS')
  }
  if (!parsed.success || mistakes.length > 0) throw new ConfigError(mistakes.join('\n'))
  const s = parsed.data
  return {
    ...(s.DATABASE_URL && { databaseUrl: s.DATABASE_URL }),
    databasePoolSize: s.DATABASE_POOL_SIZE,
    ...(s.DATABASE_SCHEMA && { databaseSchema: s.DATABASE_SCHEMA }),
    ...(s.VALKEY_URL && { valkeyUrl: s.VALKEY_URL.replace(/^valkey/, 'redis') }),
    valkeyTimeoutMs: s.VALKEY_TIMEOUT_MS,
    port: s.PORT,
    host: s.HOST,
    ...(s.METRICS_PORT !== undefined && { metricsPort: s.METRICS_PORT }),
    logLevel: s.LOG_LEVEL,
    queueName: s.QUEUE_NAME,
    workerConcurrency: s.WORKER_CONCURRENCY,
    claimIdleMs: s.CLAIM_IDLE_MS,
    autoCreateTenants: s.AUTO_CREATE_TENANTS,
    seedExamples: s.SEED_EXAMPLES,
    eventMaxAgeMs: s.EVENT_MAX_AGE_DAYS * DAY_MS,
    eventMaxAheadMs: s.EVENT_MAX_AHEAD_SECONDS * 1000,
    eventRetentionMs: s.EVENT_RETENTION_DAYS * DAY_MS,
    rollupRetentionMs: s.ROLLUP_RETENTION_DAYS * DAY_MS,
    alertRetentionMs: s.ALERT_RETENTION_DAYS * DAY_MS,
    auditRetentionMs: s.AUDIT_RETENTION_DAYS * DAY_MS,
    deadLetterRetentionMs: s.DEAD_LETTER_RETENTION_DAYS * DAY_MS,
    webhookAllowPrivate: s.WEBHOOK_ALLOW_PRIVATE,
    deliveryRetrySeconds: s.DELIVERY_RETRY_SECONDS,
    limitRequests: s.LIMIT_REQUESTS,
    limitEvents: s.LIMIT_EVENTS,
    maxConnections: s.MAX_CONNECTIONS,
    bodyMemoryBytes: s.BODY_MEMORY_MB * 1024 * 1024,
    trustedProxies: s.TRUSTED_PROXIES,
    corsOrigins: s.CORS_ORIGINS ?? [],
    ...(s.FLAGMETER_ADMIN_KEY && { adminKey: s.FLAGMETER_ADMIN_KEY }),
    requestTimeoutMs: s.REQUEST_TIMEOUT_MS,
    drainDelayMs: s.DRAIN_DELAY_MS,
    drainTimeoutMs: s.DRAIN_TIMEOUT_MS,
    dir: s.FLAGMETER_DIR,
    ...(s.FLAGMETER_KEY && { key: s.FLAGMETER_KEY }),
    ...(s.FLAGMETER_URL && { url: s.FLAGMETER_URL }),
  }
}
