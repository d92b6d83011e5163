import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { runStreamConsumer, runTableConsumer } from '../lib/worker/consume.ts'
import type { Context } from '../lib/context.ts'
import type { HttpHandler } from '../lib/http/endpoint.ts'
import type { Consumer } from '../lib/worker/consumer.ts'
import { closeHttpServer, createHttpServer } from '../lib/http/server.ts'
import { createMetricsServer } from '../lib/metrics/metrics_server.ts'
import { renderMetrics } from '../lib/metrics/store_metrics.ts'
import { CommandError } from './_command.ts'
import type { NamedHandler } from './_handlers.ts'

/** A listening server. */
export interface Listening {
  url: string
  /** Lets open requests finish. */
  close(): Promise<void>
}

/** Serves these handlers on HOST and PORT. @throws CommandError when it can't listen there */
export async function listen(ctx: Context, handlers: NamedHandler<HttpHandler>[]): Promise<Listening> {
  const { host, port, drainTimeoutMs } = ctx.config
  const server = createHttpServer(
    ctx,
    handlers.map(({ handler }) => handler),
  )
  return { url: await bind(server, host, port, 'PORT'), close: () => closeHttpServer(server, drainTimeoutMs) }
}

/** Serves the metrics on METRICS_PORT, if set. @throws CommandError when it can't listen there */
export async function listenMetrics(ctx: Context): Promise<Listening | undefined> {
  const { host, metricsPort } = ctx.config
  if (metricsPort === undefined) return undefined
  const server = createMetricsServer(() => renderMetrics(ctx))
  return { url: await bind(server, host, metricsPort, 'METRICS_PORT'), close: () => closeHttpServer(server, 1_000) }
}

/** Listens and returns the URL. @throws CommandError when it can't listen there */
export async function bind(server: Server, host: string, port: number, setting: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port, setting)))
    server.listen(port, host, resolve)
  })
  const { family, address, port: bound } = server.address() as AddressInfo
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`
}

/** One clear line for an address that can't be used. */
export function listenError(error: NodeJS.ErrnoException, host: string, port: number, setting = 'PORT'): CommandError {
  const reasons: Record<string, string> = {
    EADDRINUSE: `is taken by another process; set ${setting} to a free one`,
    EACCES: `is not allowed for this user; set ${setting} to one above 1023`,
    EADDRNOTAVAIL: 'is not an address of this machine; check HOST',
    ENOTFOUND: 'is not an address of this machine; check HOST',
  }
  return new CommandError(`${host}:${port} ${reasons[error.code ?? ''] ?? `can't be opened: ${error.message}`}`)
}

/**
 * Starts consumers. Resolves when all have stopped. Without Valkey there is no stream, so stream consumers have nothing
 * to do.
 */
export async function consume(
  ctx: Context,
  consumers: NamedHandler<Consumer>[],
  stop: AbortSignal,
  { once = false } = {},
): Promise<void> {
  const running = consumers.flatMap(({ name, handler }) => {
    if (handler.kind === 'table') return [runTableConsumer(ctx, name, handler, stop, once)]
    return ctx.valkey ? [runStreamConsumer(ctx, name, handler, stop, once)] : []
  })
  await Promise.all(running.map(({ done }) => done))
}

/** The endpoints among these handlers. */
export const endpointsOf = (handlers: NamedHandler[]): NamedHandler<HttpHandler>[] =>
  handlers.filter((named): named is NamedHandler<HttpHandler> => named.handler.kind === 'http')

/** The consumers among these handlers. */
export const consumersOf = (handlers: NamedHandler[]): NamedHandler<Consumer>[] =>
  handlers.filter((named): named is NamedHandler<Consumer> => named.handler.kind !== 'http')

/**
 * Keeps memory close to what is live. Until its first full collection, V8 derives the limit of its old space from the
 * memory of the machine, and after each it lets the space grow fourfold: a worker with 14 MB live reached 170 MB. So we
 * collect once after start-up, and each limit is twice what is live. `main` keeps the young generation small. Together,
 * API and worker need 200 MB instead of 270.
 */
export function settleHeap(): void {
  setFlagsFromString('--heap-growing-percent=100')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  setTimeout(collect, 1_000).unref()
}

/** Resolves when the signal aborts. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
  )
