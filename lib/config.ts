import { z } from 'zod'
import { isKey, keyMistake } from './auth/key.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** A setting is wrong; the message holds one line per mistake. */
export class ConfigError extends Error {}

const SCHEMA_ERROR =
  'must be a plain name: up to 63 lower-case letters, digits and underscores, not beginning with a digit or pg_'
/** What usage is split by without being a dimension, and names of fields. */
const OWN_SPLITS = ['tenant', 'feature', 'model', 'user', 'pool']
const DIMENSIONS_ERROR =
  'must be up to eight different names like team,environment: up to 40 lower-case letters, digits and underscores, ' +
  `beginning with a letter, and none of ${OWN_SPLITS.join(', ')}`
const PORT_ERROR = 'must be a whole number between 0 and 65535'
const url = (protocols: RegExp, example: string) =>
  z.url({ protocol: protocols, error: `must be a URL like ${example}` })
const wholeNumber = (min: number, max: number, fallback: number) => {
  const error = `must be a whole number between ${min} and ${max}`
  return z
    .string()
    .regex(/^\d+$/, error)
    .transform(Number)
    .pipe(z.number().min(min, error).max(max, error))
    .default(fallback)
}
const days = (min: number, max: number, fallback: number) =>
  wholeNumber(min, max, fallback).transform((count) => count * DAY_MS)
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
/** A setting, by its name in the environment. */
const setting = <Schema extends z.ZodType>(variable: string, schema: Schema): Schema => schema.meta({ variable })

/** Every setting, its default and its range; docs/reference/settings.md is written from it. */
const Settings = z.object({
  databaseUrl: setting(
    'DATABASE_URL',
    url(/^postgres(ql)?$/, 'postgres://user:password@host:5432/flagmeter').optional(),
  ).describe('PostgreSQL 15 or newer; if unset, the database that `flagmeter up` runs'),
  databasePoolSize: setting('DATABASE_POOL_SIZE', wholeNumber(1, 1000, 10)).describe(
    'most connections to PostgreSQL per process; three more serve reports, and one more listens while ' +
      'somebody watches the dashboard',
  ),
  databaseSchema: setting(
    'DATABASE_SCHEMA',
    z
      .string()
      .regex(/^(?!pg_|information_schema$)[a-z_][a-z0-9_]{0,62}$/, SCHEMA_ERROR)
      .optional(),
  ).describe(
    'PostgreSQL schema that holds everything; default: `flagmeter`, or `public` where an earlier release has put it',
  ),
  valkeyUrl: setting(
    'VALKEY_URL',
    url(/^(redis|valkey)s?$/, 'redis://host:6379')
      .transform((text) => text.replace(/^valkey/, 'redis'))
      .optional(),
  ).describe('Valkey or Redis 6.2 or newer; if unset, events go straight to PostgreSQL'),
  valkeyTimeoutMs: setting('VALKEY_TIMEOUT_MS', wholeNumber(10, 60_000, 1000)).describe(
    'how long to wait for an answer from Valkey; after that, the outcome is unknown',
  ),
  port: setting('PORT', wholeNumber(0, 65_535, 3000)).describe('port of the HTTP handlers; `API_PORT` works too'),
  host: setting('HOST', z.string().min(1).default('127.0.0.1')).describe(
    'address the HTTP handlers bind to; `0.0.0.0` for all',
  ),
  metricsPort: setting(
    'METRICS_PORT',
    z
      .string()
      .regex(/^\d{1,5}$/, PORT_ERROR)
      .transform(Number)
      .pipe(z.number().max(65_535, PORT_ERROR))
      .optional(),
  ).describe(
    'port where `serve`, `worker` and `up` answer `/metrics` and `/live` without a key; keep it ' +
      'private; if unset, there is none',
  ),
  logLevel: setting(
    'LOG_LEVEL',
    z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
        error: 'must be one of trace, debug, info, warn, error, fatal, silent',
      })
      .default('info'),
  ).describe(
    'least severe level to log; requests that succeed, or are refused without a valid key, are logged at `debug`',
  ),
  queueName: setting('QUEUE_NAME', z.string().min(1).max(200).default('events')).describe('key of the Valkey stream'),
  workerConcurrency: setting('WORKER_CONCURRENCY', wholeNumber(1, 64, 4)).describe(
    'batches a worker records concurrently',
  ),
  claimIdleMs: setting('CLAIM_IDLE_MS', wholeNumber(100, 3_600_000, 15_000)).describe(
    'how long a consumer may be silent before others take over its entries; must be longer than a ' +
      'statement may take (3.5 s)',
  ),
  autoCreateTenants: setting('AUTO_CREATE_TENANTS', flag).describe(
    'an event for an unknown tenant creates the tenant: up to 100 in ten minutes per key',
  ),
  seedExamples: setting('SEED_EXAMPLES', flag).describe(
    '`migrate` creates three example tenants in a database that nobody has used yet; `up` always does',
  ),
  /** Names that events may use in `dimensions`. */
  dimensions: setting(
    'DIMENSIONS',
    z
      .string()
      .regex(/^[a-z][a-z0-9_]{0,39}(,[a-z][a-z0-9_]{0,39}){0,7}$/, DIMENSIONS_ERROR)
      .transform((list) => list.split(','))
      .refine((names) => !names.some((name) => OWN_SPLITS.includes(name)), DIMENSIONS_ERROR)
      .refine((names) => new Set(names).size === names.length, DIMENSIONS_ERROR)
      .optional()
      .transform((list) => list ?? []),
  ).describe('what events may say of themselves in `dimensions`, such as `team,environment`; usage is split by each'),
  eventMaxAgeMs: setting('EVENT_MAX_AGE_DAYS', days(1, 3650, 35)).describe('how old the timestamp of an event may be'),
  eventMaxAheadMs: setting(
    'EVENT_MAX_AHEAD_SECONDS',
    wholeNumber(0, 86_400, 300).transform((s) => s * 1000),
  ).describe('how far ahead the timestamp of an event may be'),
  eventRetentionMs: setting('EVENT_RETENTION_DAYS', days(1, 36_500, 42)).describe(
    'how long raw events are kept; at least 7 days more than `EVENT_MAX_AGE_DAYS`',
  ),
  rollupRetentionMs: setting('ROLLUP_RETENTION_DAYS', days(62, 36_500, 400)).describe(
    'how long tokens per minute (for series) and the counters of additional quotas are kept; at least as ' +
      'long as raw events; counters per billing period are kept for good',
  ),
  alertRetentionMs: setting('ALERT_RETENTION_DAYS', days(62, 36_500, 400)).describe(
    'how long alerts are kept after their period and deliveries after their end; pending deliveries stay',
  ),
  auditRetentionMs: setting('AUDIT_RETENTION_DAYS', days(1, 36_500, 730)).describe('how long the audit log is kept'),
  deadLetterRetentionMs: setting('DEAD_LETTER_RETENTION_DAYS', days(1, 36_500, 400)).describe(
    'how long dead letters are kept: accepted events that are not counted until somebody replays them',
  ),
  webhookAllowPrivate: setting('WEBHOOK_ALLOW_PRIVATE', flag).describe(
    'allow webhooks with http URLs and private addresses; for local use',
  ),
  /** One per retry; after the last, a delivery is dead. */
  deliveryRetrySeconds: setting(
    'DELIVERY_RETRY_SECONDS',
    seconds('1,2,4,30,120,600,1800,3600,7200,14400,28800,43200,64800,100800'),
  ).describe('pauses between the tries of a webhook delivery; each is lengthened at random by up to a tenth'),
  limitRequests: setting('LIMIT_REQUESTS', wholeNumber(0, 1_000_000, 2_000)).describe(
    'requests per second per key and per tenant; ten seconds’ worth may come at once; 0: no limit',
  ),
  limitEvents: setting(
    'LIMIT_EVENTS',
    wholeNumber(0, 100_000_000, 50_000).refine(
      (rate) => rate === 0 || rate >= 1_000,
      'must be 0, or at least 1000: a batch must fit into ten seconds',
    ),
  ).describe('events per second per key and per tenant; ten seconds’ worth may come at once; 0: no limit'),
  maxConnections: setting('MAX_CONNECTIONS', wholeNumber(1, 1_000_000, 10_000)).describe(
    'most connections to a server at once; further ones are closed',
  ),
  bodyMemoryBytes: setting(
    'BODY_MEMORY_MB',
    wholeNumber(32, 65_536, 32).transform((mb) => mb * 1024 * 1024),
  ).describe(
    'MiB of request bodies and unread answers that a server holds at once; a tenant, or an unbound key, ' +
      'gets at most a third; a quarter is reserved for requests below 64 KiB',
  ),
  trustedProxies: setting('TRUSTED_PROXIES', wholeNumber(0, 10, 0)).describe(
    'number of proxies in front; the client’s address is then taken from their `X-Forwarded-For`',
  ),
  corsOrigins: setting(
    'CORS_ORIGINS',
    z
      .string()
      .regex(
        /^https?:\/\/[^\s,/]+(,https?:\/\/[^\s,/]+)*$/,
        'must be origins like https://app.example.com, separated by commas',
      )
      .transform((list) => list.split(','))
      .optional()
      .transform((list) => list ?? []),
  ).describe('origins whose pages may call the API from a browser; if unset, none'),
  adminKey: setting('FLAGMETER_ADMIN_KEY', key('flagmeter key generate prints one')).describe(
    'the first admin key, as printed by `flagmeter key generate`; if unset, one is created and written to ' +
      '`FLAGMETER_DIR`',
  ),
  requestTimeoutMs: setting('REQUEST_TIMEOUT_MS', wholeNumber(100, 600_000, 10_000)).describe(
    'how long a client may take to send a request, and to read a large answer',
  ),
  drainDelayMs: setting('DRAIN_DELAY_MS', wholeNumber(0, 60_000, 5_000)).describe(
    'after SIGTERM, how long `serve` still accepts requests while `/api/health` answers 503, so that a ' +
      'load balancer stops sending them',
  ),
  drainTimeoutMs: setting('DRAIN_TIMEOUT_MS', wholeNumber(100, 600_000, 10_000)).describe(
    'how long a stopping process waits for work in progress',
  ),
  dir: setting('FLAGMETER_DIR', z.string().min(1).default('.flagmeter')).describe(
    'folder for the embedded database and the first admin key',
  ),
  key: setting('FLAGMETER_KEY', key('`flagmeter key create` makes one')).describe(
    'key for commands; for a server on this machine, defaults to the one in `FLAGMETER_DIR`, or `FLAGMETER_ADMIN_KEY`',
  ),
  url: setting('FLAGMETER_URL', url(/^https?$/, 'http://127.0.0.1:3000').optional()).describe(
    'server that commands use; default: the local `flagmeter up`',
  ),
})

/** The parsed settings, in the units their names say. Optional ones that nobody has set are absent. */
export type Config = z.output<typeof Settings>

/** Every setting, as the environment has it: its name, its default, and what it means. */
export const SETTINGS = Object.entries(Settings.shape).map(([property, schema]) => {
  const { variable, description } = schema.meta() as { variable: string; description: string }
  const written = schema instanceof z.ZodPipe ? schema.in : schema // in the unit of the environment
  return { property, variable, fallback: z.safeParse(written, undefined).data, description }
})

/**
 * Parses the environment. An empty variable counts as unset (compose passes those).
 * @throws ConfigError that names every mistake, never a value: a URL holds a password.
 */
export function parseConfig(env: Record<string, string | undefined>): Config {
  const given: typeof env = { ...env, PORT: env.PORT || env.API_PORT }
  const input = SETTINGS.flatMap(({ property, variable }) => (given[variable] ? [[property, given[variable]]] : []))
  const parsed = Settings.safeParse(Object.fromEntries(input))
  const nameOf = (property: unknown) => SETTINGS.find((one) => one.property === property)!.variable
  const mistakes = parsed.error?.issues.map(({ path, message }) => `${nameOf(path[0])} ${message}`) ?? []
  if (parsed.success && parsed.data.eventRetentionMs < parsed.data.eventMaxAgeMs + 7 * DAY_MS) {
    mistakes.push(
      'EVENT_RETENTION_DAYS must be at least EVENT_MAX_AGE_DAYS + 7, or a late copy of an event counts twice',
    )
  }
  if (parsed.success && parsed.data.rollupRetentionMs < parsed.data.eventRetentionMs)
    mistakes.push('ROLLUP_RETENTION_DAYS must be at least EVENT_RETENTION_DAYS')
  if (!parsed.success || mistakes.length > 0) throw new ConfigError(mistakes.join('\n'))
  return parsed.data
}
