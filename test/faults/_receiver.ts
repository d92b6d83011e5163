import { type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A webhook receiver. */
export interface Receiver {
  url: string
  /** How often each id has arrived. */
  received: Map<string, number>
  /** Called with each message; may answer it. */
  onMessage: (answer: ServerResponse) => void
  release(): void
}

/** Opens a receiver on this machine that answers everything with 200. */
export async function openReceiver(): Promise<Receiver> {
  const received = new Map<string, number>()
  const server: Server = createServer((request, answer) => {
    request.resume().on('end', () => {
      const id = String(request.headers['webhook-id'])
      received.set(id, (received.get(id) ?? 0) + 1)
      receiver.onMessage(answer)
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    onMessage: (answer) => void answer.end(),
    release() {
      server.close()
      server.closeAllConnections()
    },
  }
  return receiver
}
