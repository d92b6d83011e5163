import { type AddressInfo, type Socket, connect, createServer } from 'node:net'
import { type Value, parseValue } from './_resp.ts'

/** Called with what passes. Returning false withholds it, and everything after it, from the other side. */
export interface Hooks {
  /** A command on its way to Valkey, its name in lower case. */
  onCommand?: (name: string, args: string[]) => boolean
  /** Valkey's answer to it. */
  onReply?: (name: string, args: string[], reply: Value) => boolean
}

export interface ValkeyProxy {
  url: string
  /** Breaks every connection, and refuses new ones until `allow`. */
  cut(): void
  allow(): void
  /** Breaks the connections on which something was withheld: their order is lost. */
  cutDamaged(): void
  release(): void
}

interface Pair {
  client: Socket
  upstream: Socket
  damaged: boolean
}

/** A proxy in front of Valkey that understands the protocol, to act at moments that only the protocol shows. */
export async function openValkeyProxy(port: number, hooks: Hooks): Promise<ValkeyProxy> {
  const pairs = new Set<Pair>()
  let refusing = false
  const server = createServer({ noDelay: true }, (client) => {
    if (refusing) return void client.destroy()
    const pair = { client, upstream: connect({ port, host: '127.0.0.1', noDelay: true }), damaged: false }
    pairs.add(pair)
    for (const socket of [pair.client, pair.upstream]) {
      socket.on('error', () => {})
      socket.on('close', () => {
        pairs.delete(pair)
        destroy(pair)
      })
    }
    relay(pair, hooks)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const cut = (chosen: (pair: Pair) => boolean) => [...pairs].filter(chosen).forEach(destroy)
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      refusing = true
      cut(() => true)
    },
    allow: () => void (refusing = false),
    cutDamaged: () => cut(({ damaged }) => damaged),
    release() {
      server.close()
      cut(() => true)
    },
  }
}

function destroy({ client, upstream }: Pair): void {
  client.destroy()
  upstream.destroy()
}

function relay(pair: Pair, { onCommand, onReply }: Hooks): void {
  const asked: string[][] = []
  const forward = (from: Socket, to: Socket, passes: (value: Value) => boolean) => {
    let rest: Buffer = Buffer.alloc(0)
    let closed = false
    from.on('data', (chunk: Buffer) => {
      if (closed) return
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (let found = parseValue(rest); found; found = parseValue(rest)) {
        closed = !passes(found.value)
        if (closed) {
          pair.damaged = true
          return
        }
        to.write(rest.subarray(0, found.end))
        rest = rest.subarray(found.end)
      }
    })
  }
  forward(pair.client, pair.upstream, (value) => {
    const [name = '', ...args] = value as string[]
    asked.push([name.toLowerCase(), ...args])
    return onCommand?.(name.toLowerCase(), args) ?? true
  })
  forward(pair.upstream, pair.client, (reply) => {
    const [name = '', ...args] = asked.shift() ?? []
    return onReply?.(name, args, reply) ?? true
  })
}
