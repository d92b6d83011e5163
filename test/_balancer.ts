import { Agent, type IncomingMessage, type ServerResponse, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Balancer {
  url: string
  /** Whether the balancer sends requests to this backend. */
  isUp: (backend: string) => boolean
}

/** Like real load balancers, it does not take a single failure for the end of a backend. */
const FAILURES = 3

/**
 * A small load balancer: checks the health of each backend every 50 ms, and sends requests in turn to those that are
 * up, over persistent connections. A request that was sent is never retried; failures return 502.
 */
export async function createBalancer(backends: string[]): Promise<Balancer> {
  const up = new Set<string>()
  const failed = new Map<string, number>()
  const agent = new Agent({ keepAlive: true })
  let turn = 0
  const probe = async (backend: string) => {
    const answer = await fetch(`${backend}/api/health`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined)
    const inRow = answer?.status === 200 ? 0 : (failed.get(backend) ?? 0) + 1
    failed.set(backend, inRow)
    if (inRow === 0) up.add(backend)
    else if (inRow >= FAILURES) up.delete(backend)
  }
  const timer = setInterval(() => backends.forEach((backend) => void probe(backend)), 50)

  function pass(req: IncomingMessage, res: ServerResponse): void {
    const ready = backends.filter((backend) => up.has(backend))
    const backend = ready[turn++ % ready.length]
    if (backend === undefined) return void res.writeHead(502).end('no backend')
    const { method, headers, url } = req
    const onward = request(new URL(url!, backend), { method: method!, headers, agent }, (answer) => {
      const { connection: _connection, ...kept } = answer.headers
      res.writeHead(answer.statusCode!, kept)
      answer.pipe(res)
    })
    onward.on('error', (error) => res.writeHead(502).end(`${backend}: ${error.message}`))
    req.pipe(onward)
  }

  const server = createServer(pass).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    clearInterval(timer)
    server.close()
    server.closeAllConnections()
    agent.destroy()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isUp: (backend) => up.has(backend),
  }
}
