import { describe, expect, test } from 'vitest'
import { newKey } from '../../lib/auth/key.ts'
import { OWN_MODES, startOwnTarget, watchOthers } from '../attacks/_rig.ts'

/** Calls repeatedly, this many concurrently, for three seconds. Returns the number of answers by status. */
async function flood(side: number, call: () => Promise<{ status: number }>): Promise<Record<string, number>> {
  const seen: Record<string, number> = {}
  const until = Date.now() + 3_000
  const one = async () => {
    while (Date.now() < until) {
      const { status } = await call()
      seen[status] = (seen[status] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: side }, one))
  return seen
}

describe.each(OWN_MODES)('$mode', ({ isSkipped, withValkey }) => {
  test.skipIf(isSkipped).each(['/api/openapi.json', '/api/health', '/nothing/here'])(
    '40 readers of %s, which needs no key, slow nobody down',
    { timeout: 60_000 },
    async (path) => {
      const target = await startOwnTarget({ withValkey })
      const unharmed = await watchOthers(target)
      const seen = await flood(40, () => target.send('GET', path, ''))
      await unharmed()
      expect(Object.keys(seen)).toEqual([path === '/nothing/here' ? '404' : '200'])
    },
  )

  test.skipIf(isSkipped)(
    'thousands of wrong keys are refused, lock out no valid key, and slow nobody down',
    { timeout: 60_000 },
    async () => {
      const target = await startOwnTarget({ withValkey })
      const right = await Promise.all(Array.from({ length: 10 }, () => target.keyOf('acme-corp')))
      const unharmed = await watchOthers(target)
      const event = { feature: 'x', tokens: 1 }
      const wrong = flood(40, () => target.send('POST', '/api/events', newKey(), event))
      for (const key of right) {
        expect((await target.send('POST', '/api/events', key, event)).status).toBe(201)
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      expect(Object.keys(await wrong).toSorted()).toEqual(['401', '429'])
      await unharmed()
    },
  )
})
