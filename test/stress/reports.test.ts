import { describe, expect, test } from 'vitest'
import { OWN_MODES, type OwnTarget, startOwnTarget, watchOthers } from '../attacks/_rig.ts'

/** A week of minutes of twelve features, as one tenant may well have. */
async function fill({ ctx }: OwnTarget): Promise<void> {
  for (let i = 0; i < 12; i++) {
    await ctx.database`
      insert into rollups (tenant_id, feature, minute, total_tokens, event_count)
      select id, ${`feature-${i}`}, date_trunc('minute', now()) - m * interval '1 minute', 1000000 + m, 7
      from tenants, generate_series(0, 10079) m where name = 'acme-corp'`
  }
}

const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()

describe.each(OWN_MODES)('$mode', ({ isSkipped, withValkey }) => {
  test.skipIf(isSkipped)(
    "one key's reports take nothing from another tenant's events, and no answer is large",
    { timeout: 60_000 },
    async () => {
      const target = await startOwnTarget({ withValkey })
      await fill(target)
      await target.ctx.database`analyze rollups`
      const key = await target.keyOf('acme-corp', 'read')
      const unharmed = await watchOthers(target)
      const asked = [
        `/api/usage/acme-corp/series?step=minute&by=feature&from=${ago(10_080)}&to=${ago(0)}`,
        `/api/usage/acme-corp/series?step=minute&by=feature&from=${ago(1_500)}&to=${ago(0)}`,
        `/api/usage/acme-corp/series?step=hour&by=feature&from=${ago(10_080)}&to=${ago(0)}`,
        `/api/usage/acme-corp/series?step=minute&from=${ago(10_080)}&to=${ago(0)}`,
        '/api/usage?limit=1000',
        '/api/trends?tenants=acme-corp',
      ]
      const seen = new Map<string, number>()
      const until = Date.now() + 4_000
      const reader = async (at: number) => {
        for (let i = at; Date.now() < until; i++) {
          const { status, json } = await target.send('GET', asked[i % asked.length]!, key)
          const outcome = json.code ?? String(status)
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
        }
      }
      await Promise.all(Array.from({ length: 25 }, (_, i) => reader(i)))
      await unharmed()
      // On a busy machine some wait too long for their turn.
      expect(['200', 'rate_limited', 'series_too_long']).toEqual(expect.arrayContaining([...seen.keys()]))
      expect(seen.get('200')).toBeGreaterThan(5)
    },
  )
})
