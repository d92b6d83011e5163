import { Gauge, type Registry } from 'prom-client'

/** What is read from the stores when somebody asks for the metrics; absent while a store does not answer. */
export function storeGauges(registers: Registry[]) {
  const gauge = (name: string, help: string) => new Gauge({ name: `flagmeter_${name}`, help, registers })
  const groupGauge = (name: string, help: string) =>
    new Gauge({ name: `flagmeter_${name}`, help, labelNames: ['group'], registers })
  return {
    databaseUp: gauge('database_up', '1 if PostgreSQL answered within a second'),
    databaseBytes: gauge('database_size_bytes', 'Size of the database'),
    connectionsUsed: gauge('database_connections_used', 'Connections of this process that run a statement'),
    connectionsLimit: gauge('database_connections_limit', 'Connections this process may open: DATABASE_POOL_SIZE'),
    statementsWaiting: gauge('database_statements_waiting', 'Statements of this process that wait for a connection'),
    valkeyBytes: gauge('valkey_memory_used_bytes', 'Memory that Valkey uses'),
    valkeyLimitBytes: gauge('valkey_memory_limit_bytes', 'Memory that Valkey may use; 0: no limit'),
    streamEntries: gauge('stream_entries', 'Entries in the stream: those not recorded yet'),
    streamOldestSeconds: gauge('stream_oldest_entry_seconds', 'Age of the oldest entry; 0: the stream is empty'),
    streamLag: groupGauge('stream_lag_entries', 'Entries that no consumer of the group has read yet'),
    streamPending: groupGauge('stream_pending_entries', 'Entries read and not acknowledged yet'),
    streamPendingSeconds: groupGauge('stream_oldest_pending_seconds', 'Age of the oldest pending entry; 0: none'),
    diskFreeBytes: gauge('disk_free_bytes', 'Room left on the file system this process runs on'),
    diskBytes: gauge('disk_size_bytes', 'Size of the file system this process runs on'),
  }
}
