import type { Context } from '../context.ts'
import type { StreamEntry } from '../events/stream.ts'

/** A consumer of a Valkey stream. When `consume` resolves, the entries are acknowledged and deleted. */
export interface StreamConsumer {
  kind: 'stream'
  /** The consumer group. */
  group: string
  /** Entries read at once, at most. */
  batchSize: number
  /**
   * Throws when the entries must be tried again: the loop then pauses and keeps them. For as long as a store is away;
   * when it is something else, a few times: in the last try what still fails is put aside.
   */
  consume(ctx: Context, entries: StreamEntry[], isLastTry: boolean): Promise<void>
}

/** Declares a stream consumer; a handler file's default export. */
export const streamConsumer = (consumer: Omit<StreamConsumer, 'kind'>): StreamConsumer => ({
  kind: 'stream',
  ...consumer,
})

/** A consumer of a table: called again and again, `everyMs` apart. */
export interface TableConsumer {
  kind: 'table'
  everyMs: number
  /** Does what is due and returns. A failure is logged, and the next round tries again. */
  consume(ctx: Context, stop: AbortSignal): Promise<void>
}

/** Declares a table consumer; a handler file's default export. */
export const tableConsumer = (consumer: Omit<TableConsumer, 'kind'>): TableConsumer => ({ kind: 'table', ...consumer })

/** What the worker runs. */
export type Consumer = StreamConsumer | TableConsumer
