import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { onTestFinished } from 'vitest'

/** `mute`: requests pass, answers are swallowed, as when a link breaks after the server has done its work. */
export type ProxyMode = 'open' | 'mute' | 'closed'

export interface Proxy {
  /** The given URL, through the proxy. */
  url: string
  set(mode: ProxyMode): void
  /** Breaks every connection, as a restarted host does; new ones are served. */
  reset(): void
}

/** A TCP proxy in front of a store or a server, to break the link at will. Closed after the test. */
export async function createProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target)
  const sockets = new Set<Socket>()
  let mode: ProxyMode = 'open'
  const server = createServer((client) => {
    if (mode === 'closed') return void client.destroy()
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (data) => upstream.write(data))
    upstream.on('data', (data) => mode === 'open' && client.write(data))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const cut = () => sockets.forEach((socket) => socket.destroy())
  onTestFinished(() => {
    cut()
    server.close()
  })
  const url = new URL(target)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    set(next) {
      mode = next
      if (next === 'closed') cut()
    },
    reset: () => sockets.forEach((socket) => socket.resetAndDestroy()),
  }
}
