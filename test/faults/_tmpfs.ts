import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BLOCK = Buffer.alloc(64 * 1024)

/** A small disk that can be filled up. */
export interface Disk {
  dir: string
  /** Fills all but `leave` bytes, with one file. */
  fill(leave: number): Promise<void>
  /** Frees that space again. */
  free(): Promise<void>
  /** Unmounts it; processes keep the files that they have open. */
  release(): void
}

/** Mounts a tmpfs of `size` MiB over `dir`. `owner`: who may write to it; default: whoever mounts it. */
export function openDisk(dir: string, size: number, owner?: { uid: number; gid: number }): Disk {
  mkdirSync(dir, { recursive: true })
  const options = [`size=${size}m`, 'mode=700', ...(owner ? [`uid=${owner.uid}`, `gid=${owner.gid}`] : [])]
  execFileSync('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', dir], { stdio: 'pipe' })
  const filling = join(dir, 'filling')
  let isMounted = true
  return {
    dir,
    async fill(leave) {
      const { bavail, bsize } = statfsSync(dir)
      const file = await open(filling, 'a')
      try {
        for (let rest = bavail * bsize - leave; rest > 0; rest -= BLOCK.length)
          await file.write(BLOCK.subarray(0, Math.min(rest, BLOCK.length)))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error // others are writing too
      } finally {
        await file.close()
      }
    },
    free: () => rm(filling, { force: true }),
    release() {
      if (isMounted) execFileSync('umount', ['--lazy', dir])
      isMounted = false
    },
  }
}

/** Only root may mount, and in some containers not even root: the only way to know is to try. */
export function cannotMount(): string | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'flagmeter-mount-'))
  try {
    openDisk(dir, 1).release()
    return undefined
  } catch {
    return 'needs Linux and root, to mount a small disk (tmpfs)'
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
