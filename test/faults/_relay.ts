import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

/** A fixed address in front of a server that comes back on another port. */
export interface Relay {
  port: number
  /** Where new connections go; undefined: they are refused. Open ones are unaffected. */
  target: number | undefined
  release(): void
}

/** Opens a relay on a free port of this machine. */
export async function openRelay(): Promise<Relay> {
  const sockets = new Set<Socket>()
  const relay: Relay = { port: 0, target: undefined, release }
  const server = createServer({ noDelay: true }, (client) => {
    if (relay.target === undefined) return void client.destroy()
    const upstream = connect({ port: relay.target, host: '127.0.0.1', noDelay: true })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  relay.port = (server.address() as AddressInfo).port

  function release(): void {
    server.close()
    for (const socket of sockets) socket.destroy()
  }
  return relay
}
