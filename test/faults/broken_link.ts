import { setTimeout as sleep } from 'node:timers/promises'
import { noDedupe } from './_mutants.ts'
import type { Experiment } from './_run.ts'
import { openValkeyProxy } from './_valkey_proxy.ts'

const DURATION_MS = 30_000
const BRIEF_MS = 8_000

/** Between the API and Valkey: XADD is done and its answer dropped, or there is no link, or all is well, in turn. */
export const brokenLink: Experiment = {
  name: '5 XADD done, its answer dropped',
  unit: 'answers',
  mutants: [noDedupe],
  load: { senders: 12 },
  async harm({ rig, send, brief }) {
    let isMute = false
    const proxy = await openValkeyProxy(rig.valkeyPort, {
      onReply(name) {
        if (name !== 'xadd' || !isMute) return true
        rig.faults++
        return false
      },
    })
    rig.releases.push(() => proxy.release())
    for (const index of [0, 1]) await rig.serve({ VALKEY_URL: proxy.url }, index)
    const worker = rig.work(['rollup'])
    send()
    for (const end = Date.now() + (brief ? BRIEF_MS : DURATION_MS); Date.now() < end;) {
      const mode = rig.random.pick(['open', 'mute', 'mute', 'closed'] as const)
      isMute = mode === 'mute'
      if (mode === 'closed') proxy.cut()
      // Sometimes long enough for the API to return to the stream, which it avoids for two seconds.
      await sleep(200 + rig.random.below(mode === 'closed' ? 800 : 2500))
      isMute = false
      proxy.cutDamaged()
      proxy.allow()
    }
    await sleep(3_000)
    await worker.kill()
  },
}
