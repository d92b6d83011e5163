import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.ts'
import type { StreamConsumer, TableConsumer } from './consumer.ts'
import { isUnavailable } from '../store/outage.ts'
import { openStream } from '../events/stream.ts'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** With `once`, a failure that lasts beyond a pause of this length is the result. */
const ONCE_PAUSE_MS = 1_000
/** Tries of what fails although the database is there; the pauses between them come to 1.5 s. */
const TRIES = 5

/** A consumer at work. */
export interface Running {
  /** Resolves after `stop`, or when all is done (`once`). Rejects only with `once`, when the work keeps failing. */
  done: Promise<void>
}

/**
 * Runs a stream consumer in `workerConcurrency` loops until `stop` aborts; with `once`, until the stream is empty. A
 * loop hands over a batch again and again until it is taken: an outage pauses it and loses nothing. A batch that fails
 * for another reason is not waited for, for what comes behind it would wait too: after a few tries what can't be
 * recorded of it is put aside.
 */
export function runStreamConsumer(
  ctx: Context,
  name: string,
  consumer: StreamConsumer,
  stop: AbortSignal,
  once = false,
): Running {
  const loops = Array.from({ length: ctx.config.workerConcurrency }, async (_, index) => {
    const stream = await openStream(ctx, consumer, { claims: index === 0 })
    try {
      let more = true
      while (more && !stop.aborted) {
        const messages = await untilDone(ctx, name, stop, once, () => stream.read({ block: !once }))
        if (messages && messages.length > 0) {
          const taken = await untilDone(ctx, name, stop, once, async (faults) => {
            await consumer.consume(ctx, messages, faults === TRIES - 1)
            return true
          })
          if (taken) await stream.acknowledge(messages)
        } else if (once && messages) more = false
      }
    } finally {
      await stream.release()
    }
  })
  return { done: Promise.all(loops).then(() => undefined) }
}

/** Runs a table consumer every `everyMs` until `stop` aborts; with `once`, a single time. */
export function runTableConsumer(
  ctx: Context,
  name: string,
  consumer: TableConsumer,
  stop: AbortSignal,
  once = false,
): Running {
  async function loop(): Promise<void> {
    do {
      await untilDone(ctx, name, stop, once, () => consumer.consume(ctx, stop))
      if (!once) await pause(consumer.everyMs, stop)
    } while (!once && !stop.aborted)
  }
  return { done: loop() }
}

/**
 * Tries until it works, with growing pauses (`once`: a few times). Undefined: stopped before it did.
 * @param work receives how often it failed although the database is there, at most TRIES - 1: then each try is the last
 */
async function untilDone<T>(
  ctx: Context,
  name: string,
  stop: AbortSignal,
  once: boolean,
  work: (faults: number) => Promise<T>,
): Promise<T | undefined> {
  let faults = 0
  for (let ms = FIRST_PAUSE_MS; ; ms = Math.min(ms * 2, LONGEST_PAUSE_MS)) {
    try {
      return await work(faults)
    } catch (error) {
      const isFault = !isUnavailable(error)
      if (isFault) faults = Math.min(faults + 1, TRIES - 1)
      ctx.metrics.consumerFailures.inc({ consumer: name })
      // The first failure is a line for the log; the pauses that follow are not news.
      const level = ms === FIRST_PAUSE_MS ? 'warn' : 'debug'
      ctx.log[level]({ consumer: name, reason: (error as Error).message }, 'consumer paused')
      if (once && ms > ONCE_PAUSE_MS) throw error
      if (stop.aborted) return undefined
      await pause(ms, stop)
      if (stop.aborted) return undefined
    }
  }
}

const pause = (ms: number, stop: AbortSignal): Promise<void> => sleep(ms, undefined, { signal: stop }).catch(() => {})
