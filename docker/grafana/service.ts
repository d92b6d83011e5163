import { dashboard, logs, metrics } from './_panels.ts'

const quantile = (q: number, histogram: string, labels = ''): string =>
  `histogram_quantile(${q}, sum by (le) (rate(${histogram}_bucket${labels}[$__rate_interval])))`
const mean = (histogram: string): string =>
  `sum(rate(${histogram}_sum[$__rate_interval])) / sum(rate(${histogram}_count[$__rate_interval]))`
const requests = (labels = ''): string => `rate(http_request_duration_seconds_count${labels}[$__rate_interval])`
const EVENTS = '{route="/api/events"}'

/** The state of the service, for those who run it. */
export default dashboard(
  'flagmeter-service',
  'FlagMeter: service',
  [
    metrics('Processes up', [{ query: 'sum by (job) (up)' }], { type: 'stat', width: 6 }),
    metrics('Alerts firing', [{ query: 'count(ALERTS{alertstate="firing"}) or vector(0)' }], {
      type: 'stat',
      width: 6,
    }),
    metrics(
      'Stores up',
      [
        { query: 'max(flagmeter_database_up)', legend: 'PostgreSQL' },
        { query: 'max(flagmeter_valkey_up)', legend: 'Valkey' },
      ],
      { type: 'stat', width: 6 },
    ),
    metrics('Dead letters, last hour', [{ query: 'sum(increase(flagmeter_dead_letters_total[1h]))' }], {
      type: 'stat',
      width: 6,
    }),
    metrics(
      'Events accepted, by path',
      [{ query: 'sum by (path) (rate(flagmeter_events_accepted_total[$__rate_interval]))' }],
      { unit: 'cps' },
    ),
    metrics(
      'Events counted',
      [
        { query: 'sum(rate(flagmeter_events_recorded_total[$__rate_interval]))', legend: 'new' },
        { query: 'sum(rate(flagmeter_events_duplicate_total[$__rate_interval]))', legend: 'duplicate' },
      ],
      { unit: 'cps' },
    ),
    metrics(
      'Freshness: accepted until visible in usage',
      [
        { query: quantile(0.5, 'flagmeter_freshness_seconds'), legend: 'median' },
        { query: quantile(0.99, 'flagmeter_freshness_seconds'), legend: '99 %' },
      ],
      { unit: 's' },
    ),
    metrics('Stream', [
      { query: 'max(flagmeter_stream_entries)', legend: 'entries' },
      { query: 'max by (group) (flagmeter_stream_lag_entries)', legend: 'not read yet' },
      { query: 'max by (group) (flagmeter_stream_pending_entries)', legend: 'in hand' },
    ]),
    metrics(
      'Age of waiting stream entries',
      [
        { query: 'max(flagmeter_stream_oldest_entry_seconds)', legend: 'oldest entry' },
        { query: 'max by (group) (flagmeter_stream_oldest_pending_seconds)', legend: 'oldest in hand' },
      ],
      { unit: 's' },
    ),
    metrics('Intake: events per write, and wait', [
      { query: mean('flagmeter_intake_batch_events'), legend: 'events per write' },
      { query: `1000 * ${quantile(0.99, 'flagmeter_intake_wait_seconds')}`, legend: 'wait, 99 %, in ms' },
    ]),
    metrics('Requests, by route', [{ query: `sum by (route) (${requests()})` }], { unit: 'reqps' }),
    metrics(
      'Requests that failed',
      [
        { query: `sum(${requests('{status=~"4.."}')}) or vector(0)`, legend: '4xx' },
        { query: `sum(${requests('{status=~"5.."}')}) or vector(0)`, legend: '5xx' },
      ],
      { unit: 'reqps' },
    ),
    metrics(
      'Time to answer events',
      [0.5, 0.95, 0.99].map((q) => ({
        query: quantile(q, 'http_request_duration_seconds', EVENTS),
        legend: `${q * 100} %`,
      })),
      { unit: 's' },
    ),
    metrics(
      'record_events: time',
      [
        { query: quantile(0.5, 'flagmeter_record_events_duration_seconds'), legend: 'median' },
        { query: quantile(0.99, 'flagmeter_record_events_duration_seconds'), legend: '99 %' },
      ],
      { unit: 's' },
    ),
    metrics('record_events: events per call', [
      { query: mean('flagmeter_record_events_batch_events'), legend: 'events' },
    ]),
    metrics('Connections to PostgreSQL', [
      { query: 'sum by (job) (flagmeter_database_connections_used)', legend: '{{job}}: used' },
      { query: 'sum by (job) (flagmeter_database_connections_limit)', legend: '{{job}}: limit' },
      { query: 'sum by (job) (flagmeter_database_statements_waiting)', legend: '{{job}}: waiting' },
    ]),
    metrics(
      'Tries to deliver to webhooks',
      [{ query: 'sum by (outcome) (rate(flagmeter_deliveries_total[$__rate_interval]))' }],
      { unit: 'cps' },
    ),
    metrics('Age of the oldest open delivery', [{ query: 'max(flagmeter_delivery_oldest_seconds)', legend: 'age' }], {
      unit: 's',
    }),
    metrics('Thresholds crossed, per hour', [
      { query: 'sum(increase(flagmeter_threshold_crossings_total[1h]))', legend: 'crossed' },
    ]),
    metrics('Size of the database', [{ query: 'max(flagmeter_database_size_bytes)', legend: 'database' }], {
      unit: 'bytes',
    }),
    metrics('Disk: free', [{ query: 'min(flagmeter_disk_free_bytes / flagmeter_disk_size_bytes)', legend: 'free' }], {
      unit: 'percentunit',
    }),
    metrics(
      'Memory of Valkey',
      [
        { query: 'max(flagmeter_valkey_memory_used_bytes)', legend: 'used' },
        { query: 'max(flagmeter_valkey_memory_limit_bytes)', legend: 'limit' },
      ],
      { unit: 'bytes' },
    ),
    metrics(
      'Rows deleted after their retention',
      [{ query: 'sum by (table) (rate(flagmeter_pruned_rows_total[$__rate_interval]))' }],
      { unit: 'cps' },
    ),
    metrics('Memory', [{ query: 'process_resident_memory_bytes{job=~"api|worker"}', legend: '{{job}} {{instance}}' }], {
      unit: 'bytes',
    }),
    metrics(
      'CPU',
      [
        {
          query: 'rate(process_cpu_seconds_total{job=~"api|worker"}[$__rate_interval])',
          legend: '{{job}} {{instance}}',
        },
      ],
      { unit: 'percentunit' },
    ),
    metrics('Event loop lag, 99 %', [{ query: 'nodejs_eventloop_lag_p99_seconds', legend: '{{job}} {{instance}}' }], {
      unit: 's',
    }),
    metrics(
      'Restarts: age of the processes',
      [{ query: 'time() - process_start_time_seconds{job=~"api|worker"}', legend: '{{job}} {{instance}}' }],
      { unit: 's' },
    ),
    logs('Warnings and errors', '{service=~"api|worker|migrate|backup"} | json | level >= 40'),
  ],
  '30s',
)
