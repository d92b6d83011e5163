import { execFileSync } from 'node:child_process'
import { readFile, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { existsOnPath } from '../_valkey.ts'
import { valkeyWith } from './_mutants.ts'
import type { Process } from './_process.ts'
import type { Experiment } from './_run.ts'

const CUTS = 15
const BRIEF_CUTS = 4

/** A power cut at Valkey: it dies, and what it wrote and never fsynced is gone. SIGKILL alone keeps all of that. */
export const powerLoss: Experiment = {
  name: '3 power loss on Valkey',
  unit: 'cuts',
  mutants: [valkeyWith('appendfsync', 'everysec')],
  needs: () => (process.platform === 'linux' && existsOnPath('cc') ? undefined : 'needs Linux and a C compiler (cc)'),
  load: { senders: 6 },
  valkey(stage) {
    const library = join(stage.dir, 'fsync_log.so')
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, join(import.meta.dirname, '_fsync_log.c'), '-ldl'])
    return { env: { LD_PRELOAD: library } }
  },
  async harm({ rig, send, brief }) {
    await rig.serve()
    send()
    let bytes = 0
    for (const cuts = brief ? BRIEF_CUTS : CUTS; rig.faults < cuts; rig.faults++) {
      // Without a worker, all that was accepted is in Valkey alone; with one, acknowledgements are lost, too.
      const worker: Process | undefined = rig.faults % 2 === 1 ? rig.work(['rollup']) : undefined
      await sleep(400 + rig.random.below(1200))
      await rig.killValkey()
      bytes += await cutUnsynced(rig.valkeyDir)
      await rig.startValkey()
      await sleep(rig.random.below(2500)) // until the API writes to it again
      await worker?.kill()
    }
    rig.notes.push(`${bytes} bytes cut off`)
  },
}

/** Cuts every append-only file to the length it had when it was last fsynced. Returns how many bytes are gone. */
async function cutUnsynced(dir: string): Promise<number> {
  let bytes = 0
  const log = await readFile(join(dir, 'fsync.log'), 'utf8').catch(() => '')
  const durable = new Map(
    log.split('\n').map((line) => {
      const space = line.indexOf(' ')
      return [line.slice(space + 1), Number(line.slice(0, space))]
    }),
  )
  // Redis 7 and later keep these files in their own folder; Redis 6 has a single one.
  const files = await readdir(dir, { recursive: true })
  for (const file of files.filter((name) => /\.incr\.aof$|^appendonly\.aof$/.test(name))) {
    const path = join(dir, file)
    const length = durable.get(path) ?? 0
    const more = (await stat(path)).size - length
    if (more <= 0) continue
    await truncate(path, length)
    bytes += more
  }
  return bytes
}
