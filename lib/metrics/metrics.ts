import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import pkg from '../../package.json' with { type: 'json' }
import { storeGauges } from './store_gauges.ts'

export type Metrics = ReturnType<typeof openMetrics>

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

const BATCH = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000]

/** What `prune` deletes from. */
const PRUNED = [
  'events',
  'rollups',
  'counters',
  'reservations',
  'deliveries',
  'alerts',
  'audit_log',
  'dead_letters',
].concat(['rebuilds', 'deleted_tenants'])

/** The metrics of one process, in a registry of their own. Labels are bounded: never a tenant's name. */
export function openMetrics() {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  new Gauge({ name: 'flagmeter_build_info', help: 'The version that runs', labelNames: ['version'], registers }).set(
    { version: pkg.version },
    1,
  )
  const metrics = {
    registry,
    ...storeGauges(registers),
    httpSeconds: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from the request line to the end of the answer',
      labelNames: ['method', 'route', 'status'],
      buckets: SECONDS,
      registers,
    }),
    accepted: new Counter({
      name: 'flagmeter_events_accepted_total',
      help: 'Events made durable, by the path they took',
      labelNames: ['path'],
      registers,
    }),
    intakeBatch: new Histogram({
      name: 'flagmeter_intake_batch_events',
      help: 'Events per durable write',
      buckets: BATCH,
      registers,
    }),
    intakeWaitSeconds: new Histogram({
      name: 'flagmeter_intake_wait_seconds',
      help: 'Time the first events of a durable write waited for the write before',
      buckets: SECONDS,
      registers,
    }),
    streamFailures: new Counter({
      name: 'flagmeter_stream_write_failures_total',
      help: 'Writes to Valkey that failed or timed out and went to PostgreSQL instead',
      registers,
    }),
    recorded: new Counter({
      name: 'flagmeter_events_recorded_total',
      help: 'Events counted for the first time',
      registers,
    }),
    duplicates: new Counter({
      name: 'flagmeter_events_duplicate_total',
      help: 'Events that had been counted before',
      registers,
    }),
    recordSeconds: new Histogram({
      name: 'flagmeter_record_events_duration_seconds',
      help: 'Time of one record_events call',
      buckets: SECONDS,
      registers,
    }),
    recordEvents: new Histogram({
      name: 'flagmeter_record_events_batch_events',
      help: 'Events per record_events call',
      buckets: BATCH,
      registers,
    }),
    freshnessSeconds: new Histogram({
      name: 'flagmeter_freshness_seconds',
      help: 'Time from accepting the oldest event of a batch to its being visible in usage',
      buckets: [...SECONDS, 30, 60, 300],
      registers,
    }),
    deadLetters: new Counter({
      name: 'flagmeter_dead_letters_total',
      help: 'Events that could not be recorded and were put aside',
      registers,
    }),
    reusedIds: new Counter({
      name: 'flagmeter_reused_ids_total',
      help: 'Events that were refused because their id belongs to another event',
      registers,
    }),
    remainder: new Counter({
      name: 'flagmeter_remainder_events_total',
      help: 'Events of features, models, users or dimension values beyond what a tenant may have, counted as (other)',
      registers,
    }),
    unpriced: new Counter({
      name: 'flagmeter_unpriced_events_total',
      help: 'Events that named a model and their usage, but the model has no price: their cost is unknown',
      registers,
    }),
    crossings: new Counter({
      name: 'flagmeter_threshold_crossings_total',
      help: 'Thresholds crossed by events, each of which is an alert',
      registers,
    }),
    checks: new Counter({
      name: 'flagmeter_checks_total',
      help: 'Checks of quotas: allowed, refused, or, while PostgreSQL is away, as the tenant wants it: open or closed',
      labelNames: ['outcome'],
      registers,
    }),
    reservations: new Counter({
      name: 'flagmeter_reservations_total',
      help: 'Reservations: granted, refused, settled, released, lapsed, or, while PostgreSQL is away, open or closed',
      labelNames: ['outcome'],
      registers,
    }),
    deliveries: new Counter({
      name: 'flagmeter_deliveries_total',
      help: 'Tries to deliver to a webhook: delivered, to be retried, or dead',
      labelNames: ['outcome'],
      registers,
    }),
    deliveryOldestSeconds: new Gauge({
      name: 'flagmeter_delivery_oldest_seconds',
      help: 'Age of the oldest delivery that is neither delivered nor dead; 0 when there is none',
      registers,
    }),
    consumerFailures: new Counter({
      name: 'flagmeter_consumer_failures_total',
      help: 'Rounds of a consumer that failed and are tried again',
      labelNames: ['consumer'],
      registers,
    }),
    pruned: new Counter({
      name: 'flagmeter_pruned_rows_total',
      help: 'Rows deleted because their retention is over, or their tenant was deleted',
      labelNames: ['table'],
      registers,
    }),
    valkeyUp: new Gauge({
      name: 'flagmeter_valkey_up',
      help: '1 while the connection to Valkey is ready',
      registers,
    }),
  }
  // A series that starts with its first failure has no increase: all that are known start at 0.
  for (const path of ['stream', 'direct']) metrics.accepted.inc({ path }, 0)
  for (const outcome of ['delivered', 'retried', 'dead']) metrics.deliveries.inc({ outcome }, 0)
  for (const outcome of ['allowed', 'refused', 'open', 'closed']) metrics.checks.inc({ outcome }, 0)
  for (const outcome of ['granted', 'refused', 'settled', 'released', 'lapsed', 'open', 'closed'])
    metrics.reservations.inc({ outcome }, 0)
  for (const table of PRUNED) metrics.pruned.inc({ table }, 0)
  return metrics
}
