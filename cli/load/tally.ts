import { type RecordableHistogram, createHistogram } from 'node:perf_hooks'
import type { LoadEvent, Refusal } from './client.ts'

/** Counts the outcomes of a run's events. */
export class Tally {
  /** Events sent, each counted once however often it was tried. */
  sent = 0
  accepted = 0
  /** Tokens of the accepted events. */
  tokens = 0
  refused = 0
  /** Events that were due, or still to come, and were never sent. */
  dropped = 0
  requests = 0
  inFlight = 0
  retries = 0
  readonly refusals = new Map<string, { events: number; detail: string }>()
  readonly startedAt = performance.now()
  private endedAt = 0
  /** Microseconds. A high dynamic range histogram: three digits, with the same memory for a minute or a month. */
  private readonly latencies: RecordableHistogram = createHistogram({ lowest: 1, highest: 3_600_000_000, figures: 3 })

  /** A request was sent. */
  start(events: number): void {
    this.sent += events
    this.requests++
    this.inFlight++
  }

  /** A request is done: the outcome of its events, and how long they waited, whatever the answer. */
  settle(events: LoadEvent[], refusals: (Refusal | undefined)[] | undefined, latencyMs: number): void {
    this.inFlight--
    this.wait(latencyMs)
    for (let i = 0; i < events.length; i++) {
      const refusal = refusals?.[i]
      if (refusal) this.refuse(refusal)
      else {
        this.accepted++
        this.tokens += events[i]!.tokens
      }
    }
  }

  /** Events that were never sent. Their waiting counts as latency too, or else giving up would improve the figures. */
  drop(events: number, waitedMs?: number): void {
    this.dropped += events
    if (waitedMs !== undefined) this.wait(waitedMs)
  }

  /** Counts one refused event of a partly accepted request; `settle` counts the others. */
  refuse({ code, detail }: Refusal): void {
    this.refused++
    const seen = this.refusals.get(code)
    if (seen) seen.events++
    else this.refusals.set(code, { events: 1, detail })
  }

  /** Counts one accepted event of a request whose other events are retried. */
  accept(event: LoadEvent): void {
    this.accepted++
    this.tokens += event.tokens
  }

  end(): void {
    this.endedAt = performance.now()
  }

  get elapsedMs(): number {
    return (this.endedAt || performance.now()) - this.startedAt
  }

  /** In milliseconds; 0 if nothing was measured. */
  percentile(percent: number): number {
    return this.latencies.count === 0 ? 0 : this.latencies.percentile(percent) / 1000
  }

  get maxMs(): number {
    return this.latencies.count === 0 ? 0 : this.latencies.max / 1000
  }

  private wait(latencyMs: number): void {
    this.latencies.record(Math.min(3_600_000_000, Math.max(1, Math.round(latencyMs * 1000))))
  }
}
