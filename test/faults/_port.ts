import { createServer } from 'node:net'
import type { Random } from '../_random.ts'

/** A free port below those for outgoing connections, so that none takes it while a server is down. */
export async function fixedPort(random: Random): Promise<number> {
  for (;;) {
    const port = 20_000 + random.below(12_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
