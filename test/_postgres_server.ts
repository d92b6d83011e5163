import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openEmbeddedPostgres } from '../lib/embedded/postgres.ts'
import { clusterFolder } from './_cluster.ts'

export interface OwnPostgres {
  /** Of a migrated database. */
  url: string
  /** Halts the server and all of its backends in their tracks, like a swapping machine or a hung disk. */
  freeze(): Promise<void>
  thaw(): Promise<void>
}

/** The test's own PostgreSQL, to be harmed. Removed after the test. */
export async function startPostgres(): Promise<OwnPostgres> {
  const dir = await clusterFolder()
  const server = await openEmbeddedPostgres({ dir, settings: { fsync: 'off' } })
  const signal = async (name: NodeJS.Signals) => {
    for (const pid of await processes(dir)) {
      try {
        process.kill(pid, name)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error // a backend that has just ended
      }
    }
  }
  onTestFinished(async () => {
    await signal('SIGCONT')
    await server.release()
  })
  return { url: server.url, freeze: () => signal('SIGSTOP'), thaw: () => signal('SIGCONT') }
}

/** The postmaster first, so that nothing new is started, then its children. */
async function processes(dir: string): Promise<number[]> {
  const postmaster = Number.parseInt(await readFile(join(dir, 'postgres/postmaster.pid'), 'utf8'), 10)
  const children: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
    if (parent === postmaster) children.push(Number(name))
  }
  return [postmaster, ...children]
}
