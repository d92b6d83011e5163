import { execFileSync } from 'node:child_process'
import { readFile, rm, stat, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { failedIsAccepted, outageIsDone, outageIsPoison, refusedIsAccepted, valkeyWith } from './_mutants.ts'
import type { Rig } from './_rig.ts'
import type { Experiment } from './_run.ts'
import type { Stage } from './_stage.ts'
import { type Disk, cannotMount, openDisk } from './_tmpfs.ts'

const TIMES = 4
const BRIEF_TIMES = 1
const REACH_MS = 30_000
/** Longer than the API avoids a store that has failed. */
const FULL_MS = 3_000
const VALKEY_MB = 64
const TABLES_MB = 96
const LOG_MB = 192
/** The message in PostgreSQL's log, whichever file could not grow. */
const NO_SPACE = /No space left on device/g

/** The disk with Valkey's append-only file fills up: the server exits, or refuses, until there is room again. */
export const fullValkeyDisk: Experiment = {
  name: '10 disk of Valkey full',
  unit: 'times',
  mutants: [refusedIsAccepted, valkeyWith('appendfsync', 'everysec')],
  needs: cannotMount,
  load: { senders: 8, pauseMs: 0 },
  async harm({ rig, send, brief }) {
    await rig.killValkey()
    const disk = openDisk(rig.valkeyDir, VALKEY_MB)
    rig.releases.push(() => disk.release())
    await rig.startValkey()
    await rig.serve()
    send()
    for (const times = brief ? BRIEF_TIMES : TIMES; rig.faults < times; rig.faults++) {
      // Without a worker all accepted events are only in Valkey; with one, acknowledgements don't fit either.
      const worker = rig.faults % 2 === 1 ? rig.work(['rollup']) : undefined
      await disk.fill(300_000)
      await reach('Valkey has no room', () => valkeyIsFull(rig))
      await rig.killValkey() // if it keeps running, what it could not write is only in memory
      await sleep(FULL_MS)
      await disk.free()
      await rig.startValkey()
      await sleep(FULL_MS) // the API uses it again
      await worker?.kill()
    }
  },
}

/** With `appendfsync always` it exits; with `everysec` it refuses from then on. */
async function valkeyIsFull({ redis }: Rig): Promise<boolean> {
  if (redis.status !== 'ready') return true
  return /errorstat_MISCONF/.test(await Promise.race([redis.info('errorstats'), sleep(500, '')]))
}

/** The disk with PostgreSQL's tables fills up, which it survives, then the one with its WAL, which it does not. */
export const fullPostgresDisk: Experiment = {
  name: '11 disk of PostgreSQL full',
  unit: 'times',
  mutants: [outageIsDone, outageIsPoison, failedIsAccepted],
  needs: cannotMount,
  load: { senders: 6, maxBatch: 200, pauseMs: 20 },
  async harm({ rig, stage, send, accepted, brief }) {
    const owner = await stat(join(stage.dir, 'postgres'))
    const [tables, log] = [TABLES_MB, LOG_MB].map((size, index) => {
      const disk = openDisk(join(stage.dir, `disk_${++disks}_${index}`), size, owner)
      rig.releases.push(() => disk.release())
      return disk
    })
    await moveTables(rig, tables!)
    await rig.serve()
    await rig.serve({ VALKEY_URL: '' }, 1)
    const worker = rig.work(['rollup'])
    send()
    const round = async (disk: Disk, repair?: () => Promise<void>) => {
      await sleep(1_000)
      const before = await complaints(stage)
      await disk.fill(0)
      await reach('PostgreSQL has no room', async () => (await complaints(stage)) > before)
      const acceptedBefore = accepted()
      await sleep(FULL_MS)
      if (accepted() === acceptedBefore) rig.wrong.push('no event was accepted while the disk of PostgreSQL was full')
      await disk.free()
      await repair?.()
      rig.faults++
    }
    const times = brief ? BRIEF_TIMES : TIMES / 2
    while (rig.faults < times) await round(tables!)
    await moveTables(rig, tables!, true)
    if (!brief) {
      await rig.database`alter system set min_wal_size = '32MB'`
      await moveLog(stage, log!)
      try {
        while (rig.faults < 2 * times)
          await round(log!, async () => {
            await stage.crashPostgres()
            await stage.startPostgres()
          })
      } finally {
        await moveLog(stage, log!, true)
      }
    }
    await sleep(FULL_MS)
    worker.signal('SIGTERM')
    await worker.ended
  },
  async check(rig) {
    const [row] = await rig.database<{ count: number }[]>`select count(*)::int as count from dead_letters`
    if (row!.count > 0) rig.wrong.push(`${row!.count} valid events became dead letters`)
  },
}

let disks = 0

const complaints = async (stage: Stage): Promise<number> =>
  (await readFile(join(stage.dir, 'postgres.log'), 'utf8')).match(NO_SPACE)?.length ?? 0

/** Moves all tables of the rig to this disk, or back from it. */
async function moveTables({ database }: Rig, disk: Disk, back = false): Promise<void> {
  const name = basename(disk.dir)
  if (!back) await database.unsafe(`create tablespace ${name} location '${disk.dir}'`)
  const [from, to] = back ? [name, 'pg_default'] : ['pg_default', name]
  for (const kind of ['table', 'index'])
    await again(() => database.unsafe(`alter ${kind} all in tablespace ${from} set tablespace ${to}`))
  if (back) await again(() => database.unsafe(`drop tablespace ${name}`))
}

/** A worker counting events meanwhile may block it. */
async function again(work: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return void (await work())
    } catch (error) {
      if (tries === 20) throw error
      await sleep(200)
    }
  }
}

/** Moves PostgreSQL's WAL to this disk, or back from it; small, so that it soon has to grow. */
async function moveLog(stage: Stage, { dir }: Disk, back = false): Promise<void> {
  await stage.whilePostgresRests(async (data) => {
    const [place, away] = [join(data, 'pg_wal'), join(dir, 'pg_wal')]
    if (back) await rm(place)
    execFileSync('mv', back ? [away, place] : [place, away])
    if (!back) await symlink(away, place)
  })
}

async function reach(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + REACH_MS; !(await condition()); await sleep(20))
    if (Date.now() > end) throw new Error(`not within ${REACH_MS} ms: ${what}`)
}
