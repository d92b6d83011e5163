import { type Server, createServer } from 'node:http'
import type { Context } from './context.ts'
import { renderMetrics } from './store_metrics.ts'

/**
 * The server beside the public one, on a port that is not published: `/metrics` for Prometheus, and `/live` for the health
 * check of a process that serves nothing else.
 */
export function createMetricsServer(ctx: Context): Server {
  const server = createServer((req, res) => {
    if (req.url === '/live') return void res.end('alive\n')
    if (req.url !== '/metrics') return void res.writeHead(404).end()
    renderMetrics(ctx).then(
      (text) => res.writeHead(200, { 'content-type': ctx.metrics.registry.contentType }).end(text),
      (error: unknown) => {
        ctx.log.error({ err: error }, 'could not read the metrics')
        res.writeHead(500).end()
      },
    )
  })
  server.unref()
  return server
}
