import { type Server, createServer } from 'node:http'
import { Registry } from 'prom-client'

/**
 * The server beside the public one, on a port that is not published: `/metrics` for Prometheus, and `/live` for the
 * health check of a process that serves nothing else.
 */
export function createMetricsServer(render: () => Promise<string>): Server {
  const server = createServer((req, res) => {
    if (req.url === '/live') return void res.end('alive\n')
    if (req.url !== '/metrics') return void res.writeHead(404).end()
    render().then(
      (text) => res.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE }).end(text),
      (error: unknown) => res.writeHead(500).end(`${(error as Error).message}\n`),
    )
  })
  server.unref()
  return server
}
